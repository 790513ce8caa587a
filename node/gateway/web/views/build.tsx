/** One build: how far it is, its graph, and what is known of the action that was chosen. */
import type { BuildSummary, BuildView } from "../../../control/api.ts";
import { Dag } from "../graph/dag.tsx";
import { useBuild } from "../graph/use-build.ts";
import { Facts, Shows, Sign, Title, Trouble } from "../parts.tsx";
import { bytes, count, duration, moment } from "../quantity.ts";
import { amend } from "../route.ts";
import { buildStates } from "../states.ts";
import { useRead } from "../use-read.ts";
import { ActionDetails } from "./action.tsx";
import { Progress } from "./builds.tsx";

type Summary = Omit<BuildView, "actionViews">;

export function BuildPage({ build, query }: { build: string; tab?: string; query: URLSearchParams }) {
  const summary = useRead<Summary>(`/builds/${build}`, { everyMs: 3000, on: (line) => line.build === build });
  const { live, version, refused } = useBuild(build);
  const chosen = query.get("action") ?? undefined;
  const choose = (action: string | undefined) => amend(["builds", build], { action });
  return (
    <>
      <Title>{build}</Title>
      <Shows reading={summary}>{(value) => <Head summary={value} />}</Shows>
      {live ? (
        <div class={chosen === undefined ? "split" : "split two"}>
          <Dag build={build} live={live} version={version} chosen={chosen} choose={choose} />
          {chosen !== undefined && (
            <ActionDetails key={chosen} build={build} action={chosen} close={() => choose(undefined)} />
          )}
        </div>
      ) : refused && summary.value ? (
        <Trouble refused={refused} />
      ) : null}
    </>
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
          ["failed", count(result.failed)],
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
