/**
 * Which pieces of a large blob a node gives away next: those it offered least often. Several that want the blob at once then get
 * different pieces, which they pass on to each other, and the blob leaves its holder hardly more than once.
 */
import type { Digest } from "../../protocol/kernel/ids.ts";
import type { PiecedBlob } from "../ports.ts";
import { bitAt } from "./blob-wire.ts";

const digestsMax = 64;

export class Offers {
  readonly #counts = new Map<Digest, Uint32Array>();

  /** At most `max` pieces that are here and that `lack` names, in order of the blob among those offered equally often. */
  propose(digest: Digest, pieces: number, blob: PiecedBlob, lack: Uint8Array, max: number): number[] {
    const counts = this.#of(digest, pieces);
    const chosen: number[] = [];
    for (let index = 0; index < pieces; index++) {
      if (!bitAt(lack, index) || !blob.has(index)) continue;
      const last = chosen.at(-1);
      if (chosen.length === max && counts[index]! >= counts[last!]!) continue;
      let at = chosen.length;
      while (at > 0 && counts[chosen[at - 1]!]! > counts[index]!) at--;
      chosen.splice(at, 0, index);
      if (chosen.length > max) chosen.pop();
    }
    for (const index of chosen) counts[index]!++;
    return chosen;
  }

  #of(digest: Digest, pieces: number): Uint32Array {
    const counts = this.#counts.get(digest) ?? new Uint32Array(pieces);
    this.#counts.delete(digest);
    this.#counts.set(digest, counts);
    if (this.#counts.size > digestsMax) this.#counts.delete(this.#counts.keys().next().value!);
    return counts;
  }
}
