/** What is known of one action: its attempts, what it stands on, what it made, what it said, and why. */

import type { WhyView } from "../../../../protocol/explain/why.ts";
import type { ActionView, AttemptView } from "../../../control/api.ts";
import { LogText } from "../log-text.tsx";
import { Facts, Shows, Sign } from "../parts.tsx";
import { bytes, duration, sentence, unknown } from "../quantity.ts";
import { linkTo, linkToArtifact } from "../route.ts";
import { actionStates } from "../states.ts";
import { useRead } from "../use-read.ts";
import { Hash, Recipe } from "./recipe.tsx";

const listedMax = 40;

export function ActionDetails({
  build,
  action,
  close,
}: {
  build: string;
  action: string;
  close: () => void;
}) {
  const query = new URLSearchParams({ name: action });
  const reading = useRead<ActionView>(`/builds/${build}/action?${query}`, {
    everyMs: 3000,
    on: (line) => line.build === build && (line.action === undefined || line.action === action),
  });
  return (
    <aside class="details" aria-label={`Action ${action}`}>
      <header>
        <h2>{action}</h2>
        <button type="button" aria-label="Close" onClick={close}>
          ✕
        </button>
      </header>
      <Shows reading={reading}>{(value) => <Known build={build} action={value} />}</Shows>
    </aside>
  );
}

function Known({ build, action }: { build: string; action: ActionView }) {
  const last = action.attempts.findLast(({ state }) => state === "done") ?? action.attempts.at(-1);
  const { usage } = last ?? {};
  return (
    <>
      <Facts
        of={[
          ["state", <Sign key="s" of={actionStates[action.state]} />],
          ...(action.target === undefined ? [] : ([["target", action.target]] as const)),
          ["node", action.cached ? "from the cache" : (last?.node ?? unknown)],
          ["ran", duration(usage?.wallMs)],
          ["CPU", duration(usage?.cpuMs)],
          // Who ends sooner than it is looked at was never seen to take any.
          ["memory", bytes(usage?.maxRssBytes || undefined)],
          ["fetched", bytes(usage?.fetchedBytes)],
        ]}
      />
      {action.waitsFor && (
        <p>{/^waits /.test(action.waitsFor) ? sentence(action.waitsFor) : `Waits for ${action.waitsFor}`}</p>
      )}
      <Why build={build} action={action.name} />
      <Recipe build={build} action={action.name} />
      <List name="Attempts" of={action.attempts} empty="Nobody tried it yet.">
        {(attempt) => <Attempt key={attempt.claim} attempt={attempt} />}
      </List>
      <List name="Stands on" of={action.dependsOn} empty="No other action.">
        {(name) => (
          <li key={name}>
            <a href={linkTo(["builds", build], { action: name })}>{name}</a>
          </li>
        )}
      </List>
      <List name="Outputs" of={action.outputs} empty="None yet.">
        {({ path, digest, kind }) => (
          <li key={path}>
            <a href={linkToArtifact(digest)}>{path}</a>{" "}
            {kind === "folder" && <span class="quiet">folder </span>}
            <Hash digest={digest} />
          </li>
        )}
      </List>
      {action.attempts.length > 0 && (
        <section>
          <h3>Log</h3>
          <LogText
            path={`/api/v1/builds/${build}/log?${new URLSearchParams({ action: action.name, follow: String(action.state === "running") })}`}
          />
        </section>
      )}
    </>
  );
}

function Why({ build, action }: { build: string; action: string }) {
  const reading = useRead<WhyView>(`/builds/${build}/why?${new URLSearchParams({ action })}`, { everyMs: 0 });
  if (!reading.value) return null;
  const texts = textsOf(reading.value);
  if (texts.length === 0) return null;
  return (
    <section>
      <h3>Why</h3>
      {texts.map((text) => (
        <p key={text} class="why">
          {text}
        </p>
      ))}
    </section>
  );
}

/** The sentences of the answer; what they stand on is for `swarmd why`. */
function textsOf(why: WhyView): string[] {
  const texts = Object.values(why)
    .flat()
    .flatMap((part: unknown) => {
      const text = (part as { text?: unknown } | null)?.text;
      return typeof text === "string" && text !== "" ? [text] : [];
    });
  return [...new Set(texts)];
}

function Attempt({ attempt }: { attempt: AttemptView }) {
  const { node, state, reason, exitCode, usage, why } = attempt;
  const bad = state === "failed" || state === "expired";
  return (
    <li>
      <span class={bad ? "bad" : ""}>
        #{attempt.attempt} {state}
      </span>{" "}
      on {node} <span class="quiet">{usage ? duration(usage.wallMs) : ""}</span>
      {exitCode !== undefined && exitCode !== 0 && <span class="bad"> exit code {exitCode}</span>}
      {reason && <div class="quiet">{reason}</div>}
      {why && (
        <div class="quiet">
          score {why.score.toFixed(2)}
          {Object.entries(why.parts).map(([part, value]) => ` · ${part} ${value.toFixed(2)}`)}
        </div>
      )}
    </li>
  );
}

interface ListProps<T> {
  readonly name: string;
  readonly of: readonly T[];
  readonly empty: string;
  readonly children: (item: T) => preact.ComponentChild;
}

function List<T>({ name, of, empty, children }: ListProps<T>) {
  return (
    <section>
      <h3>
        {name} {of.length > 0 && <span class="quiet">{of.length}</span>}
      </h3>
      {of.length === 0 ? (
        <p class="quiet">{empty}</p>
      ) : (
        <ul class="plain">
          {of.slice(0, listedMax).map(children)}
          {of.length > listedMax && <li class="quiet">and {of.length - listedMax} more</li>}
        </ul>
      )}
    </section>
  );
}
