/** What the failures of a build came from, with evidence; what they hold up; and what to run. */
import { useMemo } from "preact/hooks";
import type { AutopsyView, FailureView, Suspect } from "../../../../protocol/explain/autopsy.ts";
import { Command } from "../command.tsx";
import { Dag } from "../graph/dag.tsx";
import type { LiveBuild } from "../graph/live-build.ts";
import { useBuild } from "../graph/use-build.ts";
import { Empty, Facts, Loading, Shows, Sign, Table, Trouble } from "../parts.tsx";
import { count, sentence } from "../quantity.ts";
import { amend, linkTo } from "../route.ts";
import { Score } from "../score.tsx";
import { actionStates } from "../states.ts";
import { useRead } from "../use-read.ts";
import { CriticalPath } from "./critical-path.tsx";

const failureKinds = new Set(["fail", "expire", "forgive", "lost", "sealed", "done"]);

export function Autopsy({ build, query }: { build: string; query: URLSearchParams }) {
  const reading = useRead<AutopsyView>(`/builds/${build}/autopsy`, {
    everyMs: 0,
    on: (line) => line.build === build && failureKinds.has(line.kind),
    apartMs: 3000,
  });
  return (
    <section class="autopsy" aria-label="Autopsy">
      <Shows reading={reading}>
        {(view) => <Opened build={build} view={view} asked={query.get("action") ?? undefined} />}
      </Shows>
      <CriticalPath build={build} />
    </section>
  );
}

function Opened({ build, view, asked }: { build: string; view: AutopsyView; asked: string | undefined }) {
  const all = [...view.failures, ...view.recovered];
  const chosen = all.find(({ action }) => action === asked) ?? all[0];
  const choose = (action: string | undefined) => amend(["builds", build, "autopsy"], { action });
  return (
    <>
      {chosen && <p class="verdict">{sentence(view.text)}.</p>}
      {view.faults.map((fault) => (
        <p key={fault} class="stale">
          A file of rules is left out: {fault}
        </p>
      ))}
      {chosen ? (
        <>
          <Blame failures={view.failures.length > 0 ? view.failures : view.recovered} />
          <div class="split opened">
            <Failures all={all} more={view.more} chosen={chosen.action} choose={choose} />
            <Failure build={build} failure={chosen} />
          </div>
          <Reach build={build} failure={chosen} choose={choose} />
        </>
      ) : (
        <Empty>{sentence(view.text)}.</Empty>
      )}
    </>
  );
}

/** On whom all failures together are laid. */
function Blame({ failures }: { failures: readonly FailureView[] }) {
  const laid = useMemo(() => blameOf(failures), [failures]);
  return (
    <section class="blame" aria-label="On whom it is laid">
      <h3>On whom it is laid</h3>
      <ul class="plain">
        {laid.map(({ kind, name, share }) => (
          <li key={`${kind} ${name}`}>
            <Weight share={share} /> {suspectText(kind, name)}
          </li>
        ))}
      </ul>
    </section>
  );
}

const laidMax = 6;

/** Actions are told together; a node, a file, a toolchain that comes again and again is named. */
function blameOf(failures: readonly FailureView[]) {
  const sums = new Map<string, { kind: Suspect["kind"]; name: string; share: number }>();
  for (const { suspects } of failures)
    for (const { kind, name, weight } of suspects) {
      const about = kind === "node" || kind === "toolchain" || kind === "input" ? name : "";
      const sum = sums.get(`${kind} ${about}`) ?? { kind, name: about, share: 0 };
      sum.share += weight / failures.length;
      sums.set(`${kind} ${about}`, sum);
    }
  return [...sums.values()].sort((a, b) => b.share - a.share).slice(0, laidMax);
}

const suspectText = (kind: Suspect["kind"], name: string): string =>
  kind === "chance"
    ? "chance"
    : name === ""
      ? "the work itself"
      : kind === "package"
        ? `the work itself: ${name}`
        : `${kind} ${name}`;

const Weight = ({ share }: { share: number }) => (
  <Score value={share} most={1} text={`${Math.round(100 * share)} %`} />
);

function Failures({
  all,
  more,
  chosen,
  choose,
}: {
  all: readonly FailureView[];
  more: number;
  chosen: string;
  choose: (action: string) => void;
}) {
  return (
    <div>
      <h3>What failed</h3>
      <ul class="failures">
        {all.map(({ action, state, holds }) => (
          <li key={action}>
            <button type="button" aria-pressed={action === chosen} onClick={() => choose(action)}>
              <Sign of={state === "blocked" ? actionStates.blocked : { ...actionStates[state] }} />{" "}
              <span class="name">{action}</span>{" "}
              {holds.actions > 0 && state === "blocked" && (
                <span class="quiet">holds up {count(holds.actions)}</span>
              )}
            </button>
          </li>
        ))}
        {more > 0 && <li class="quiet">and {count(more)} more</li>}
      </ul>
    </div>
  );
}

function Failure({ build, failure }: { build: string; failure: FailureView }) {
  const { action, suspects, diagnoses, attempts, commands, holds } = failure;
  return (
    <article class="failure" aria-label={`Failure of ${action}`}>
      <h2>{action}</h2>
      <p class="cause">{failure.text}</p>
      <p>{failure.remedy}</p>
      {commands.map(({ command, why }) => (
        <Command key={command.join(" ")} words={command} why={why} />
      ))}
      <h3>Suspects</h3>
      <ul class="plain suspects">
        {suspects.map(({ kind, name, weight, evidence }) => (
          <li key={`${kind} ${name}`}>
            <Weight share={weight} /> <strong>{suspectText(kind, name)}</strong>
            <ul>
              {evidence.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
      {diagnoses.length > 0 && (
        <>
          <h3>Known errors</h3>
          {diagnoses.map(({ rule, cause, evidence }) => (
            <div key={`${rule} ${cause}`}>
              {cause} <span class="quiet">rule {rule}</span>
              <pre class="log">{evidence}</pre>
            </div>
          ))}
        </>
      )}
      <h3>Runs that failed</h3>
      <Table label="Runs that failed" head={["Node", "How it ended", "Whose doing"]}>
        {attempts.map(({ node, reason, signal, cause, forgiven }, i) => (
          <tr key={i}>
            <th scope="row">{node}</th>
            <td class="wrap">
              {reason}
              {signal ? ` (${signal})` : ""}
            </td>
            <td>
              {cause === "deterministic" ? "its own" : "the node's"}
              {forgiven && <span class="quiet"> forgiven</span>}
            </td>
          </tr>
        ))}
      </Table>
      <Facts
        of={[
          ["holds up", count(holds.actions)],
          ["to be released, of those", count(holds.released)],
        ]}
      />
      <p>
        <a href={linkTo(["builds", build], { action })}>Its log and all that is known of it</a>
      </p>
    </article>
  );
}

/** The graph with what failed, what it stands on, and all it holds up; the rest is faded. */
function Reach({
  build,
  failure,
  choose,
}: {
  build: string;
  failure: FailureView;
  choose: (action: string | undefined) => void;
}) {
  const { live, version, refused } = useBuild(build);
  const about = useMemo(() => (live ? reachOf(live, failure.action) : undefined), [live, failure.action]);
  if (!live) return refused ? <Trouble refused={refused} /> : <Loading />;
  return (
    <section aria-label="Cause and impact">
      <h3>Cause and impact</h3>
      <Dag
        build={build}
        live={live}
        version={version}
        chosen={failure.action}
        choose={choose}
        about={about}
      />
    </section>
  );
}

/** The action, what it stands on, and all that stands on it. */
function reachOf({ index, before, after }: LiveBuild, action: string): Set<number> {
  const at = index.get(action);
  const reach = new Set<number>();
  if (at === undefined) return reach;
  const go = ({ starts, of }: LiveBuild["before"]) => {
    const queue = [at];
    for (const node of queue)
      for (let e = starts[node]!; e < starts[node + 1]!; e++)
        if (!reach.has(of[e]!)) {
          reach.add(of[e]!);
          queue.push(of[e]!);
        }
  };
  go(after);
  go(before);
  return reach.add(at);
}
