/** Who reaches whom: each member says it of itself, through another one where it is not reached from here. */
import type { Core } from "../protocol/core.ts";
import { byText } from "../protocol/kernel/ids.ts";
import type { ReachRow, ReachView } from "./control/api.ts";
import type { Mesh, Way } from "./ports.ts";
import type { Queries } from "./queries.ts";

/** In the order of names. */
export async function reachOf(
  core: Core,
  queries: Queries,
  mesh: Pick<Mesh, "ways" | "inquire">,
): Promise<ReachView> {
  const { self } = core.desk.config;
  const rows = await Promise.all(
    queries.nodes().map(async ({ name: node, peerId, state }): Promise<ReachRow> => {
      const row = { node, peerId, state };
      if (peerId === self) return { ...row, ways: named(queries, await mesh.ways()) };
      try {
        const { answer, via } = await mesh.inquire(peerId, { kind: "reach" });
        const through = via === undefined ? {} : { via: queries.nameOf(via) };
        return { ...row, ...through, ways: named(queries, answer.ways) };
      } catch {
        return row;
      }
    }),
  );
  return { rows: rows.sort((a, b) => byText(a.node, b.node)) };
}

const named = (queries: Queries, ways: readonly Way[]): NonNullable<ReachRow["ways"]> =>
  ways
    .map(({ peer, latencyMs, direction, address }) => ({
      node: queries.nameOf(peer),
      peerId: peer,
      direction,
      address,
      ...(latencyMs === undefined ? {} : { latencyMs: Math.round(latencyMs * 100) / 100 }),
    }))
    .sort((a, b) => byText(a.node, b.node));
