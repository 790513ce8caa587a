/** What one epoch of a channel holds, what was held against it, and what is other than in the one before, or in any. */
import { useMemo, useState } from "preact/hooks";
import type { Manifest, ReleaseItem } from "../../../../protocol/release/manifest.ts";
import type { ReleasesView } from "../../../control/publishing.ts";
import { Bar, Empty, Facts, Shows, Table, Title } from "../parts.tsx";
import { bytes, count } from "../quantity.ts";
import { amend, linkTo, linkToArtifact, sizeOf } from "../route.ts";
import { useRead } from "../use-read.ts";

const shownMax = 1000;

interface Change {
  readonly item: ReleaseItem;
  readonly was: "new" | "changed" | "gone" | "same";
}

export function Epoch({ channel, epoch, query }: { channel: string; epoch: number; query: URLSearchParams }) {
  const against = Number(query.get("against") ?? epoch - 1);
  const path = `/releases/${encodeURIComponent(channel)}`;
  const reading = useRead<Manifest>(`${path}/${epoch}`, { everyMs: 0 });
  const before = useRead<Manifest>(against > 0 && against !== epoch ? `${path}/${against}` : undefined, {
    everyMs: 0,
  });
  const channels = useRead<ReleasesView>("/releases", { everyMs: 0 });
  const others =
    channels.value?.channels
      .find((one) => one.channel === channel)
      ?.epochs.map((one) => one.epoch)
      .filter((one) => one !== epoch) ?? [];
  const [isAll, showAll] = useState(false);
  const changes = useMemo(
    () => (reading.value ? changesOf(reading.value.items, before.value?.items ?? []) : []),
    [reading.value, before.value],
  );
  const tally = (was: Change["was"]) => changes.filter((change) => change.was === was).length;
  const isKnown = against === 0 || before.value !== undefined;
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
                ["risk", risk ? `${risk.score} of 100` : "none"],
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
            {risk && <RiskParts risk={risk} />}
            <h2>Files</h2>
            <div class="tools">
              {others.length > 0 && (
                <label>
                  Against epoch{" "}
                  <select
                    value={against}
                    onChange={(e) =>
                      amend(["releases", channel, String(epoch)], { against: e.currentTarget.value })
                    }
                  >
                    {against === 0 && <option value={0}>none</option>}
                    {others.toReversed().map((one) => (
                      <option key={one} value={one}>
                        {one}
                      </option>
                    ))}
                  </select>
                </label>
              )}
              {isKnown ? (
                <label class="check">
                  <input type="checkbox" checked={isAll} onChange={(e) => showAll(e.currentTarget.checked)} />{" "}
                  Also what is as before
                </label>
              ) : (
                <span class="quiet">Epoch {against} is not here to compare with.</span>
              )}
            </div>
            {shown.length === 0 ? (
              <Empty>Nothing is other than in epoch {against}.</Empty>
            ) : (
              <Table
                label="Files"
                head={[
                  "File",
                  against === 0 ? ["Change", "unseen"] : `Against ${against}`,
                  ["Size", "number"],
                  "Build",
                  "Action",
                ]}
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
            )}
            {shown.length > shownMax && <p class="quiet">and {count(shown.length - shownMax)} more</p>}
          </>
        )}
      </Shows>
    </>
  );
}

/** What was held against it when it was proposed. */
function RiskParts({ risk: { parts } }: { risk: NonNullable<Manifest["risk"]> }) {
  return (
    <>
      <h2>Risk</h2>
      <Table label="Risk" head={["What", ["Points", "number"], ["Found", "number"], "Share"]}>
        {parts.map(({ kind, points, count: found }) => (
          <tr key={kind}>
            <th scope="row">{kind.replaceAll("-", " ")}</th>
            <td class="number">{points}</td>
            <td class="number">{count(found)}</td>
            <td>
              <Bar
                of={100}
                label={`${points} of 100 points`}
                shares={[{ tone: "bad", value: points, word: kind }]}
              />
            </td>
          </tr>
        ))}
      </Table>
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
