/** The end of a build: its steward gathers the results that nobody consumed and says `sealed`. */
import type { BuildId, Digest, PeerId } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import type { Losses } from "./lost.ts";

/**
 * Whoever runs what another has done by now gives it back within this, and says so before the end: so long the seal waits. Who does not, hides
 * it from nobody by this: the build is whole.
 */
const lingerMs = 1_000;

export class Sealer {
  private readonly desk: Desk;
  private readonly losses: Losses;
  /** Blobs being fetched, per build. */
  private readonly gathering = new Map<BuildId, Set<Digest>>();
  /** Said in this step, not yet folded. */
  private readonly said = new Set<BuildId>();
  /** Since when only what nobody waits for is open, per build. */
  private readonly lingers = new Map<BuildId, number>();

  constructor(desk: Desk, losses: Losses) {
    this.desk = desk;
    this.losses = losses;
  }

  begin(): void {
    if (this.said.size > 0) this.said.clear();
  }

  /**
   * Ends a build that has nothing left to do. The sealer first brings the results that nobody consumed to its own disk, so that each
   * lies on two members, and asks for those again whose bytes are gone.
   */
  seal(): void {
    if (!this.desk.settled) return this.lingers.clear();
    for (const id of this.lingers.keys()) if (!this.desk.builds.get(id)?.live) this.lingers.delete(id);
    const { self } = this.desk.config;
    for (const build of this.desk.liveBuilds()) {
      const claims = build.claims!;
      if (!claims.settled || this.desk.stewardOf(build.id, "") !== self || this.said.has(build.id)) {
        this.lingers.delete(build.id);
        continue;
      }
      if (!this.gather(build) || this.isLingering(build)) continue;
      this.lingers.delete(build.id);
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

  /** When somebody has had the time to give back what is done, or a folder may be had that could not be had before. */
  deadline(): number {
    let at = this.desk.treesDeadline();
    for (const since of this.lingers.values()) at = Math.min(at, since + lingerMs);
    return at;
  }

  /** Whether somebody may still be about to give back what is not to be run any more. */
  private isLingering({ id, claims }: Build): boolean {
    if (claims!.openClaims.size === 0) return false;
    const { monoMs } = this.desk.now;
    const since = this.lingers.get(id) ?? monoMs;
    this.lingers.set(id, since);
    return monoMs < since + lingerMs;
  }

  /** The bytes the sealer asked for; those missing are reported lost, and their actions run again. */
  gathered(build: BuildId, missing: readonly Digest[]): void {
    const wants = this.gathering.get(build);
    const known = this.desk.builds.get(build);
    if (!wants || !known) return;
    for (const digest of wants) if (!missing.includes(digest)) this.desk.noteLocal(digest);
    this.gathering.delete(build);
    if (missing.length > 0) this.losses.report(known, new Set(missing));
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
          this.desk.awaitTree(output.digest, holders);
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
