/** How soon all members see one that joins. */
import { setTimeout as sleep } from "node:timers/promises";
import { controlClient } from "../../node/control/client.ts";
import { placesOf } from "../../node/home-places.ts";
import type { Farm } from "./farm.ts";

/** Between two looks of each. */
const lookMs = 20;

/** Milliseconds from when the newcomer answers until each of the others calls it alive, the slowest last. */
export async function joinSeenMs(
  farm: Farm,
  others: readonly { readonly home: string }[],
): Promise<number[]> {
  const clients = others.map(({ home }) => controlClient(placesOf(home).controlSocket));
  const seen = clients.map(() => 0);
  const name = `n${others.length + 1}`;
  let startMs = 0;
  const watching = Promise.all(
    clients.map(async (client, at) => {
      for (;;) {
        const nodes = await client.nodes();
        if (nodes.some((node) => node.name === name && node.state === "alive")) break;
        await sleep(lookMs);
      }
      seen[at] = performance.now();
    }),
  );
  await farm.join(name);
  startMs = performance.now();
  await watching;
  return seen.map((ms) => Math.max(0, ms - startMs)).sort((a, b) => a - b);
}
