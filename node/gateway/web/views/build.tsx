/** One build: how far it is, its graph, and what is known of the action that was chosen. */
import type { BuildSummary, BuildView } from "../../../control/api.ts";
import { Dag } from "../graph/dag.tsx";
import { useBuild } from "../graph/use-build.ts";
import { LogText } from "../log-text.tsx";
import { Empty, Facts, Loading, Shows, Sign, Title, Trouble } from "../parts.tsx";
import { bytes, count, duration, moment } from "../quantity.ts";
import { amend, linkTo } from "../route.ts";
import { buildStates } from "../states.ts";
import { useRead } from "../use-read.ts";
import { ActionDetails } from "./action.tsx";
import { Autopsy } from "./autopsy.tsx";
import { Progress } from "./builds.tsx";
import { Debug } from "./debug.tsx";
import { Decisions } from "./decisions.tsx";
import { Gantt } from "./gantt.tsx";
import { Replay } from "./replay.tsx";

type Summary = Omit<BuildView, "actionViews">;

const tabs: readonly (readonly [tab: string, name: string])[] = [
  ["graph", "Graph"],
  ["timeline", "Timeline"],
  ["replay", "Replay"],
  ["decisions", "Decisions"],
  ["autopsy", "Autopsy"],
  ["debug", "Debug"],
  ["log", "Log"],
];

export function BuildPage({
  build,
  tab = "graph",
  query,
}: {
  build: string;
  tab?: string;
  query: URLSearchParams;
}) {
  const summary = useRead<Summary>(`/builds/${build}`, { everyMs: 3000, on: (line) => line.build === build });
  const isRunning = summary.value?.state === "running" || summary.value?.state === "paused";
  return (
    <>
      <Title>{build}</Title>
      <Shows reading={summary}>
        {(value) => (
          <>
            <Head summary={value} />
            <nav class="tabs" aria-label="Of this build" ref={inSight}>
              {tabs.map(([path, name]) => (
                <a
                  key={path}
                  href={linkTo(path === "graph" ? ["builds", build] : ["builds", build, path])}
                  aria-current={path === tab ? "page" : undefined}
                >
                  {name}
                </a>
              ))}
            </nav>
            <h2 class="hidden">{tabs.find(([path]) => path === tab)?.[1] ?? "Graph"}</h2>
            {tab === "timeline" ? (
              <Gantt build={build} />
            ) : tab === "replay" ? (
              <Replay build={build} query={query} />
            ) : tab === "decisions" ? (
              <Decisions build={build} query={query} />
            ) : tab === "autopsy" ? (
              <Autopsy build={build} query={query} />
            ) : tab === "debug" ? (
              <Debug build={build} isLive={isRunning} />
            ) : tab === "log" ? (
              <LogText path={`/api/v1/builds/${build}/log?follow=${isRunning}`} tall />
            ) : (
              <GraphOf build={build} action={query.get("action") ?? undefined} />
            )}
          </>
        )}
      </Shows>
    </>
  );
}

/** Where the tabs do not fit beside each other, the one that is open is among those that are seen. */
function inSight(nav: HTMLElement | null): void {
  const tab = nav?.querySelector<HTMLElement>("[aria-current]");
  if (nav && tab && tab.offsetLeft + tab.offsetWidth > nav.clientWidth + nav.scrollLeft)
    nav.scrollLeft = tab.offsetLeft + tab.offsetWidth - nav.clientWidth;
}

function GraphOf({ build, action }: { build: string; action: string | undefined }) {
  const { live, version, refused } = useBuild(build);
  const choose = (chosen: string | undefined) => amend(["builds", build], { action: chosen });
  if (!live) return refused ? <Trouble refused={refused} /> : <Loading />;
  if (live.actions.length === 0) return <Empty>It has no actions, or its plan is not here yet.</Empty>;
  return (
    <div class={action === undefined ? "split" : "split two"}>
      <Dag build={build} live={live} version={version} chosen={action} choose={choose} />
      {action !== undefined && (
        <ActionDetails key={action} build={build} action={action} close={() => choose(undefined)} />
      )}
    </div>
  );
}

function Head({ summary }: { summary: Summary }) {
  const { result } = summary;
  return (
    <section class="summary" aria-label="Summary">
      <Facts
        of={[
          ["state", <Sign key="s" of={buildStates[summary.state]} />],
          ["done", `${count(summary.counts.done)}/${count(summary.actions)}`],
          ["cached", count(result.cached)],
          ["failed runs", count(result.failed)],
          ["took", duration(summary.wallMs)],
          ["CPU", duration(summary.cpuMs)],
          ["fetched", bytes(summary.fetchedBytes)],
          ["submitted", `${moment(summary.submittedAtMs)} by ${summary.submitter}`],
        ]}
      />
      <Progress build={summary as BuildSummary} />
    </section>
  );
}
