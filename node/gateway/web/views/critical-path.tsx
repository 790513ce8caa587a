/** What the duration of a build hangs on: each step with what it waited, fetched and ran, and what would shorten it. */
import type { PathView } from "../../../../protocol/explain/paths.ts";
import { Facts, Shows, Table } from "../parts.tsx";
import { count, duration } from "../quantity.ts";
import { linkTo } from "../route.ts";
import { useRead } from "../use-read.ts";

const stepsMax = 60;
const shortenMax = 5;

export function CriticalPath({ build }: { build: string }) {
  const reading = useRead<PathView>(`/builds/${build}/critical-path`, {
    everyMs: 0,
    on: (line) => line.build === build && (line.kind === "done" || line.kind === "sealed"),
    apartMs: 5000,
  });
  return (
    <section class="path" aria-label="Critical path">
      <h2>Critical path</h2>
      <Shows reading={reading}>{(path) => <Steps build={build} path={path} />}</Shows>
    </section>
  );
}

function Steps({ build, path: { fact, plan, shorten } }: { build: string; path: PathView }) {
  const most = Math.max(1, ...fact.steps.map(({ waitMs, fetchMs, runMs }) => waitMs + fetchMs + runMs));
  if (fact.steps.length === 0)
    return <p class="quiet">Nothing has run; by estimates it takes {duration(plan.totalMs)} at best.</p>;
  return (
    <>
      <Facts
        of={[
          ["took", duration(fact.totalMs)],
          ["ran", duration(fact.runMs)],
          ["waited", duration(fact.waitMs)],
          ["fetched", duration(fact.fetchMs)],
          ["at best, by estimates", duration(plan.totalMs)],
        ]}
      />
      {shorten.length > 0 && (
        <section class="shorten" aria-label="What would shorten it most">
          <h3>What would shorten it most</h3>
          <ul class="plain">
            {shorten.slice(0, shortenMax).map(({ savesMs, text }) => (
              <li key={text}>
                <span class="figure">−{duration(savesMs)}</span> {text}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Table
        label="Steps of the critical path"
        head={[
          "Action",
          "Node",
          ["Spent", "unseen"],
          ["Waited", "number"],
          ["Fetched", "number"],
          ["Ran", "number"],
          ["Slack", "number"],
        ]}
      >
        {fact.steps.slice(-stepsMax).map(({ action, node, waitMs, fetchMs, runMs, slackMs }) => (
          <tr key={action}>
            <th scope="row">
              <a href={linkTo(["builds", build], { action })}>{action}</a>
            </th>
            <td>{node}</td>
            <td class="spent">
              <span
                class="bar"
                role="img"
                aria-label={`waited ${duration(waitMs)}, fetched ${duration(fetchMs)}, ran ${duration(runMs)}`}
              >
                <span class="part held" style={{ width: `${(100 * waitMs) / most}%` }} />
                <span class="part next" style={{ width: `${(100 * fetchMs) / most}%` }} />
                <span class="part ok" style={{ width: `${(100 * runMs) / most}%` }} />
              </span>
            </td>
            <td class="number">{duration(waitMs)}</td>
            <td class="number">{duration(fetchMs)}</td>
            <td class="number">{duration(runMs)}</td>
            <td class="number">{duration(slackMs)}</td>
          </tr>
        ))}
      </Table>
      {fact.steps.length > stepsMax && (
        <p class="quiet">
          The last {stepsMax} of {count(fact.steps.length)} steps.
        </p>
      )}
    </>
  );
}
