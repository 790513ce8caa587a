/** Which blobs of this disk the swarm is told of: results of the builds that this node knows, their roots before what lies on the way. */
import type { Digest } from "../protocol/kernel/ids.ts";
import type { Claims } from "../protocol/work/claims.ts";
import type { Desk } from "../protocol/work/desk.ts";
import { rootActionsOf } from "../protocol/work/reachable.ts";
import type { Providing } from "./network/providing.ts";

/** Of one build, how far its journal was read, and which actions nobody consumes. */
interface Reading {
  readonly claims: Claims;
  readonly roots: ReadonlySet<number>;
  cursor: number;
}

export class Announcer {
  readonly #desk: Pick<Desk, "builds">;
  readonly #providing: Pick<Providing, "now" | "later">;
  readonly #has: (digest: Digest) => boolean;
  readonly #read = new Map<string, Reading>();

  constructor(
    desk: Pick<Desk, "builds">,
    providing: Pick<Providing, "now" | "later">,
    has: (digest: Digest) => boolean,
  ) {
    this.#desk = desk;
    this.#providing = providing;
    this.#has = has;
  }

  /** Hands on what was done since the last look. After a start that is everything, so nothing need be kept on disk. */
  look(): void {
    for (const [id, build] of this.#desk.builds) {
      if (!build.claims) continue;
      let reading = this.#read.get(id);
      if (reading?.claims !== build.claims) {
        reading = { claims: build.claims, roots: rootActionsOf(build.claims), cursor: 0 };
        this.#read.set(id, reading);
      }
      this.#follow(reading);
    }
    for (const id of this.#read.keys()) if (!this.#desk.builds.has(id as never)) this.#read.delete(id);
  }

  #follow(reading: Reading) {
    const { claims, roots } = reading;
    const { journal } = claims.actions;
    for (; reading.cursor < journal.length; reading.cursor++) {
      const { action, state } = journal[reading.cursor]!;
      if (state !== "done") continue;
      const here = (claims.resultOf(action)?.result.outputs ?? [])
        .map(({ digest }) => digest)
        .filter((digest) => this.#has(digest));
      if (here.length === 0) continue;
      if (roots.has(action)) this.#providing.now(here);
      else this.#providing.later(here);
    }
  }
}
