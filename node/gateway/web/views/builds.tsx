/** All builds, the newest first, and how far each is. */
import { useEffect } from "preact/hooks";
import type { BuildSummary } from "../../../control/api.ts";
import { Bar, Empty, Loading, Shows, Sign, Table, Title } from "../parts.tsx";
import { count, duration, moment } from "../quantity.ts";
import { linkTo } from "../route.ts";
import { actionStateNames, actionStates, buildStates } from "../states.ts";
import { useRead } from "../use-read.ts";

interface Page {
  readonly items: readonly BuildSummary[];
  readonly total: number;
}

export function Builds() {
  const reading = useRead<Page>("/builds?limit=200", {
    everyMs: 3000,
    on: ({ build }) => build !== undefined,
  });
  return (
    <>
      <Title>Builds</Title>
      <Shows reading={reading}>
        {({ items, total }) =>
          items.length === 0 ? (
            <None />
          ) : (
            <>
              <Table
                label="Builds"
                head={[
                  "Build",
                  "State",
                  "Progress",
                  ["Done", "number"],
                  ["Blocked", "number"],
                  ["Took", "number"],
                  "Submitted",
                  "By",
                ]}
              >
                {items.map((build) => (
                  <tr key={build.build}>
                    <th scope="row">
                      <a href={linkTo(["builds", build.build])}>{build.build}</a>
                    </th>
                    <td>
                      <Sign of={buildStates[build.state]} />
                    </td>
                    <td>
                      <Progress build={build} />
                    </td>
                    <td class="number">
                      {count(build.counts.done)}/{count(build.actions)}
                    </td>
                    <td class="number">{count(build.counts.blocked + build.counts.held)}</td>
                    <td class="number">{duration(build.wallMs)}</td>
                    <td>{moment(build.submittedAtMs)}</td>
                    <td>{build.submitter}</td>
                  </tr>
                ))}
              </Table>
              {total > items.length && (
                <p class="quiet">
                  The newest {items.length} of {count(total)}.
                </p>
              )}
            </>
          )
        }
      </Shows>
    </>
  );
}

/** The build that was submitted last: whoever asks for it by that word is taken there. */
export function Latest({ tab }: { tab: string | undefined }) {
  const reading = useRead<Page>("/builds?limit=1", { everyMs: 3000 });
  const build = reading.value?.items[0]?.build;
  useEffect(() => {
    if (build !== undefined) location.replace(linkTo(["builds", build, ...(tab === undefined ? [] : [tab])]));
  }, [build, tab]);
  return (
    <>
      <Title>The latest build</Title>
      <Shows reading={reading}>{({ total }) => (total === 0 ? <None /> : <Loading />)}</Shows>
    </>
  );
}

const None = () => (
  <Empty>
    No build yet. The first one: <code>swarmd submit SPEC</code>
  </Empty>
);

const order = ["done", "running", "claimed", "ready", "blocked", "held", "cancelled"] as const;

export function Progress({ build: { counts, actions } }: { build: BuildSummary }) {
  const said = actionStateNames
    .filter((state) => counts[state] > 0)
    .map((state) => `${counts[state]} ${state}`);
  return (
    <Bar
      of={actions}
      label={said.join(", ")}
      shares={order.map((state) => ({ tone: actionStates[state].tone, value: counts[state], word: state }))}
    />
  );
}
