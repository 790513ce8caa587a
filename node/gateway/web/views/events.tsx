/** What all members said, merged, the newest first; more comes as it is said. */
import type { TimelineLine } from "../../../control/account.ts";
import { Empty, Shows, Table, Title } from "../parts.tsx";
import { moment } from "../quantity.ts";
import { amend, linkTo } from "../route.ts";
import { useRead } from "../use-read.ts";

const linesMax = 300;
const families = [
  "node",
  "pipeline",
  "schedule_decision",
  "failure_propagation",
  "debugger_preview",
] as const;

export function Events({ query }: { query: URLSearchParams }) {
  const asked = {
    kinds: query.get("kinds") ?? "",
    node: query.get("node") ?? "",
    build: query.get("build") ?? "",
  };
  const given = Object.entries(asked).filter(([, value]) => value !== "");
  const search = new URLSearchParams([...given, ["limit", String(linesMax)]]);
  const reading = useRead<{ items: TimelineLine[] }>(`/events?${search}`, {
    everyMs: 15_000,
    on: ({ build }) => asked.build === "" || build === asked.build,
    apartMs: 1000,
  });
  const ask = (change: Partial<typeof asked>) => amend(["events"], { ...asked, ...change });
  return (
    <>
      <Title>Events</Title>
      <div class="tools">
        <label>
          Family{" "}
          <select
            value={families.find((family) => family === asked.kinds) ?? ""}
            onChange={(e) => ask({ kinds: e.currentTarget.value })}
          >
            <option value="">All</option>
            {families.map((family) => (
              <option key={family} value={family}>
                {family.replace("_", " ")}
              </option>
            ))}
          </select>
        </label>
        <input
          placeholder="Kinds: claim, done"
          aria-label="Kinds"
          value={asked.kinds}
          onChange={(e) => ask({ kinds: e.currentTarget.value.trim() })}
        />
        <input
          placeholder="Node"
          aria-label="Node"
          value={asked.node}
          onChange={(e) => ask({ node: e.currentTarget.value.trim() })}
        />
        <input
          placeholder="Build"
          aria-label="Build"
          value={asked.build}
          onChange={(e) => ask({ build: e.currentTarget.value.trim() })}
        />
      </div>
      <Shows reading={reading}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty>Nobody said anything like this.</Empty>
          ) : (
            <Table label="Events" head={["At", "What", "Node", "Kind", "Build"]}>
              {items.toReversed().map((line) => (
                <tr
                  key={`${line.peerId} ${line.inc} ${line.seq} ${line.place}`}
                  class={line.counts === false ? "quiet" : ""}
                >
                  <td>{moment(line.atMs)}</td>
                  <td class="wrap">
                    {line.text}
                    {line.counts === false && " (does not count: its author was cut off before)"}
                  </td>
                  <td>{line.node}</td>
                  <td>{line.kind}</td>
                  <td>
                    {line.build && (
                      <a href={linkTo(["builds", line.build], { action: line.action })}>{line.build}</a>
                    )}
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Shows>
    </>
  );
}
