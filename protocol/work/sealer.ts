/** The end of a build: its steward gathers the results that nobody consumed and says `sealed`. */
import type { BuildId, Digest, PeerId } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { reportLost } from "./lost.ts";

export class Sealer {
  private readonly desk: Desk;
  /** Blobs being fetched, per build. */
  private readonly gathering = new Map<BuildId, Set<Digest>>();
  /** Said in this step, not yet folded. */
  private readonly said = new Set<BuildId>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  begin(): void {
    if (this.said.size > 0) this.said.clear();
  }

  /**
   * Ends a build that has nothing left to do. The sealer first brings the results that nobody consumed to its own disk, so that each
   * lies on two members, and asks for those again whose bytes are gone.
   */
  seal(): void {
    if (!this.desk.settled) return;
    const { self } = this.desk.config;
    for (const build of this.desk.liveBuilds()) {
      const claims = build.claims!;
      if (!claims.settled || this.desk.stewardOf(build.id, "") !== self || this.said.has(build.id)) continue;
      if (!this.gather(build)) continue;
      this.said.add(build.id);
      this.desk.say(
        build.id,
        {
          kind: "sealed",
          state: claims.state as "complete" | "failed" | "cancelled",
          wallMs: Math.max(0, Math.round(this.desk.now.wallMs - build.submission!.wallMs)),
        },
        { urgent: true },
      );
    }
  }

  /** The bytes the sealer asked for; those missing are reported lost, and their actions run again. */
  gathered(build: BuildId, missing: readonly Digest[]): void {
    const wants = this.gathering.get(build);
    const known = this.desk.builds.get(build);
    if (!wants || !known) return;
    for (const digest of wants) if (!missing.includes(digest)) this.desk.noteLocal(digest);
    this.gathering.delete(build);
    if (missing.length > 0) reportLost(this.desk, known, new Set(missing));
  }

  /** True once every result that nobody consumed lies on this disk. */
  private gather(build: Build): boolean {
    if (this.gathering.has(build.id)) return false;
    const claims = build.claims!;
    if (claims.cancelled) return true;
    const wants = new Map<Digest, PeerId[]>();
    const released = new Set(build.graph!.release?.include ?? []);
    for (let index = 0; index < claims.actions.size; index++) {
      const result = claims.resultOf(index);
      const isRoot = claims.dependents[index]!.length === 0 || released.has(claims.action(index).name);
      if (!result || !isRoot || claims.actions.get(index) !== "done") continue;
      const holders = claims.holdersOf(index, result);
      for (const output of result.result.outputs) {
        if (output.kind === "file") {
          wants.set(output.digest, holders);
          continue;
        }
        const tree = this.desk.trees.get(output.digest);
        if (!tree) {
          this.desk.askTree(output.digest, holders);
          return false;
        }
        for (const file of tree) wants.set(file.digest, holders);
      }
    }
    for (const digest of wants.keys()) if (this.desk.isLocal(digest)) wants.delete(digest);
    if (wants.size === 0) return true;
    this.gathering.set(build.id, new Set(wants.keys()));
    this.desk.fetch(
      `gather:${build.id}`,
      [...wants].map(([digest, holders]) => ({ digest, holders })),
    );
    return false;
  }
}
