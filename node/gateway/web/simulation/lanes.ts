/** Which stretch of work stands in which lane of its node: the lowest that is free when it begins. More lanes than slots where more ran at once. */
import type { Picture, Stretch } from "./report-text.ts";

export interface Placed {
  readonly stretch: Stretch;
  /** Its lanes, from 0; as many as it took slots. */
  readonly at: readonly number[];
}

export interface Band {
  readonly node: string;
  readonly lanes: number;
  readonly placed: readonly Placed[];
}

/** Slots beyond these are drawn over each other: a hostile file shall not make a picture of any height. */
const lanesMax = 256;

/** In the order of the cluster. */
export function bandsOf({ slots, stretches }: Picture): Band[] {
  const byNode = new Map<string, Stretch[]>(slots.map(({ node }) => [node, []]));
  for (const stretch of [...stretches].sort((a, b) => a.beganMs - b.beganMs))
    byNode.get(stretch.node)?.push(stretch);
  return slots.map(({ node, slots: own }) => {
    const freeMs: number[] = Array.from({ length: Math.min(lanesMax, Math.max(1, own)) }, () => -Infinity);
    const placed = byNode.get(node)!.map((stretch) => {
      const at: number[] = [];
      const wanted = Math.min(lanesMax, Math.max(1, stretch.slots));
      for (let lane = 0; at.length < wanted && lane < lanesMax; lane++) {
        if ((freeMs[lane] ?? -Infinity) > stretch.beganMs) continue;
        freeMs[lane] = stretch.endedMs;
        at.push(lane);
      }
      if (at.length === 0) at.push(lanesMax - 1);
      return { stretch, at };
    });
    return { node, lanes: freeMs.length, placed };
  });
}
