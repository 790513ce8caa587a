/** What one epoch of a channel holds, and what is other than in the one before. */
import { useMemo, useState } from "preact/hooks";
import type { Manifest, ReleaseItem } from "../../../../protocol/release/manifest.ts";
import { Facts, Shows, Table, Title } from "../parts.tsx";
import { bytes, count } from "../quantity.ts";
import { linkTo, linkToArtifact, sizeOf } from "../route.ts";
import { useRead } from "../use-read.ts";

const shownMax = 1000;

interface Change {
  readonly item: ReleaseItem;
  readonly was: "new" | "changed" | "gone" | "same";
}

export function Epoch({ channel, epoch }: { channel: string; epoch: number }) {
  const path = `/releases/${encodeURIComponent(channel)}`;
  const reading = useRead<Manifest>(`${path}/${epoch}`, { everyMs: 0 });
  const before = useRead<Manifest>(epoch > 1 ? `${path}/${epoch - 1}` : undefined, { everyMs: 0 });
  const [isAll, showAll] = useState(false);
  const changes = useMemo(
    () => (reading.value ? changesOf(reading.value.items, before.value?.items ?? []) : []),
    [reading.value, before.value],
  );
  const tally = (was: Change["was"]) => changes.filter((change) => change.was === was).length;
  const isKnown = epoch === 1 || before.value !== undefined;
  const shown = isAll || !isKnown ? changes : changes.filter(({ was }) => was !== "same");
  return (
    <>
      <Title>
        {channel} {epoch}
      </Title>
      <Shows reading={reading}>
        {({ items, risk, reason, rollback }) => (
          <>
            <Facts
              of={[
                ["files", count(items.length)],
                [
                  "size",
                  bytes(items.reduce((sum, { digest, link }) => sum + (link ? 0 : sizeOf(digest)), 0)),
                ],
                [
                  "risk",
                  risk
                    ? `${risk.score}/100: ${risk.parts.map(({ kind, points }) => `${kind} ${points}`).join(", ")}`
                    : "none",
                ],
                ...(isKnown
                  ? ([
                      ["new", count(tally("new"))],
                      ["changed", count(tally("changed"))],
                      ["gone", count(tally("gone"))],
                    ] as const)
                  : []),
              ]}
            />
            {rollback !== undefined && <p>It holds what epoch {rollback} held.</p>}
            {reason && <p class="quiet">{reason}</p>}
            {isKnown ? (
              <label class="check">
                <input type="checkbox" checked={isAll} onChange={(e) => showAll(e.currentTarget.checked)} />{" "}
                Also what is as before
              </label>
            ) : (
              <p class="quiet">Epoch {epoch - 1} is not here to compare with.</p>
            )}
            <Table
              label="Files"
              head={["File", "Against the epoch before", ["Size", "number"], "Build", "Action"]}
            >
              {shown.slice(0, shownMax).map(({ item, was }) => (
                <tr key={item.path}>
                  <td class="wrap">
                    {item.link ? (
                      `${item.path} → ${item.link}`
                    ) : (
                      <a href={linkToArtifact(item.digest)}>{item.path}</a>
                    )}
                  </td>
                  <td>{isKnown ? was : ""}</td>
                  <td class="number">{item.link ? "" : bytes(sizeOf(item.digest))}</td>
                  <td>
                    <a href={linkTo(["builds", item.build], { action: item.action })}>{item.build}</a>
                  </td>
                  <td>{item.action}</td>
                </tr>
              ))}
            </Table>
            {shown.length > shownMax && <p class="quiet">and {count(shown.length - shownMax)} more</p>}
          </>
        )}
      </Shows>
    </>
  );
}

function changesOf(items: readonly ReleaseItem[], earlier: readonly ReleaseItem[]): Change[] {
  const before = new Map(earlier.map((item) => [item.path, item]));
  const changes = items.map((item): Change => {
    const was = before.get(item.path);
    before.delete(item.path);
    if (!was) return { item, was: "new" };
    return { item, was: was.digest === item.digest && was.link === item.link ? "same" : "changed" };
  });
  return [...changes, ...[...before.values()].map((item): Change => ({ item, was: "gone" }))];
}
