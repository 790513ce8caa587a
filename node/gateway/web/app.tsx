/** The frame of the dashboard: where one can go, whether events come, and the door where the gateway wants its token. */
import { useEffect, useState } from "preact/hooks";
import type { StatusView } from "../../control/api.ts";
import { relisten, useLive } from "./feed.ts";
import { Empty, Title } from "./parts.tsx";
import { type Route, useRoute } from "./route.ts";
import { keepToken, onTokenWanted } from "./source.ts";
import { Theme } from "./theme.tsx";
import { useRead } from "./use-read.ts";
import { Artifacts } from "./views/artifacts.tsx";
import { BuildPage } from "./views/build.tsx";
import { Builds, Latest } from "./views/builds.tsx";
import { Data } from "./views/data.tsx";
import { Epoch } from "./views/epoch.tsx";
import { Events } from "./views/events.tsx";
import { Releases } from "./views/releases.tsx";
import { Simulation } from "./views/simulation.tsx";
import { Swarm } from "./views/swarm.tsx";
import { Wire } from "./views/wire.tsx";

const views: readonly (readonly [path: string, name: string])[] = [
  ["swarm", "Swarm"],
  ["builds", "Builds"],
  ["releases", "Releases"],
  ["artifacts", "Artifacts"],
  ["events", "Events"],
  ["wire", "Wire"],
  ["data", "Data"],
  ["simulation", "Simulator"],
];

export function App() {
  const route = useRoute();
  const [wanted, setWanted] = useState(false);
  const [door, setDoor] = useState(0);
  useEffect(() => onTokenWanted(() => setWanted(true)), []);
  const here = route.path[0] ?? "swarm";
  const enter = (token: string) => {
    keepToken(token);
    setWanted(false);
    setDoor(door + 1);
    relisten();
  };
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        To the content
      </button>
      <header class="top">
        <a class="brand" href="#/swarm">
          swarmd
        </a>
        <nav aria-label="Views">
          {views.map(([path, name]) => (
            <a key={path} href={`#/${path}`} aria-current={path === here ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
        {!wanted && <Here key={door} />}
        <Theme />
      </header>
      <main id="main" tabIndex={-1}>
        {wanted ? (
          <Door enter={enter} />
        ) : (
          <View key={`${door}/${here}/${route.path.slice(1, 3).join("/")}`} route={route} />
        )}
      </main>
    </>
  );
}

function View({ route }: { route: Route }) {
  const [view = "swarm", ...rest] = route.path;
  if (view === "swarm") return <Swarm />;
  if (view === "builds")
    return rest[0] === undefined ? (
      <Builds />
    ) : rest[0] === "latest" ? (
      <Latest tab={rest[1]} />
    ) : (
      <BuildPage build={rest[0]} tab={rest[1]} query={route.query} />
    );
  if (view === "releases")
    return rest[0] !== undefined && rest[1] !== undefined ? (
      <Epoch channel={rest[0]} epoch={Number(rest[1])} query={route.query} />
    ) : (
      <Releases />
    );
  if (view === "artifacts") return <Artifacts word={rest[0]} />;
  if (view === "events") return <Events query={route.query} />;
  if (view === "data") return <Data query={route.query} />;
  if (view === "wire") return <Wire query={route.query} />;
  if (view === "simulation") return <Simulation />;
  return (
    <>
      <Title>There is nothing here</Title>
      <Empty>
        No view has this address. <a href="#/swarm">To the swarm</a>
      </Empty>
    </>
  );
}

/** Which node this is, and whether it is listened to. */
function Here() {
  const { value, refused } = useRead<StatusView>("/status", {
    everyMs: 5000,
    on: ({ family }) => family === "node",
  });
  const live = useLive();
  const [tone, word] =
    refused && refused.status !== 401
      ? ["bad", "no answer"]
      : value?.recording !== undefined
        ? ["idle", "a recording"]
        : live
          ? ["ok", "live"]
          : ["busy", "reading now and then"];
  return (
    <span class="here">
      {value && (
        <span>
          {value.swarm.name} <span class="quiet">at</span> {value.node.name}
        </span>
      )}
      <span class={`sign ${tone}`} role="status" title={value?.recording}>
        <span aria-hidden="true">●</span> {word}
      </span>
    </span>
  );
}

function Door({ enter }: { enter: (token: string) => void }) {
  const [token, setToken] = useState("");
  return (
    <form
      class="door"
      onSubmit={(e) => {
        e.preventDefault();
        if (token.trim() !== "") enter(token.trim());
      }}
    >
      <h1>This gateway wants its token</h1>
      <p class="quiet">
        It stands in the file that <code>gatewayTokenFile</code> of the node's config.yaml names. This tab
        keeps it until it is closed.
      </p>
      <label>
        Token
        <input
          type="password"
          autocomplete="off"
          value={token}
          onInput={(e) => setToken(e.currentTarget.value)}
        />
      </label>
      <button type="submit">Enter</button>
    </form>
  );
}
