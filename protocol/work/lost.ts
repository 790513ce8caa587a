/**
 * Bytes that nobody alive has: the results that stood for them are reported lost, and their actions run again. What those take may have
 * gone with the same disk: that is looked for at once, result behind result, and not only when each action in turn is tried in vain.
 */
import type { BuildId, Digest } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import type { Desk, Needed } from "./desk.ts";
import { inputsOf } from "./inputs.ts";

export class Losses {
  private readonly desk: Desk;
  /** What is being looked for behind a loss, by the id it was asked under. */
  private readonly open = new Map<string, { readonly build: BuildId; readonly digests: readonly Digest[] }>();
  private count = 0;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Says `lost` for every result of a build that names one of these digests. Returns how many actions it concerns. */
  report(build: Build, gone: ReadonlySet<Digest>): number {
    const { desk } = this;
    const { claims } = build;
    if (!claims || claims.cancelled || claims.sealed) return 0;
    const lost: number[] = [];
    for (let index = 0; index < claims.actions.size; index++) {
      if (claims.actions.get(index) !== "done") continue;
      const result = claims.resultOf(index);
      if (!result || !namesOne(desk, result.result.outputs, gone)) continue;
      const results = claims.sourcesOf(index, result);
      if (results.length === 0) continue;
      lost.push(index);
      desk.say(
        build.id,
        {
          kind: "lost",
          action: claims.action(index).name,
          results,
          reason: "no live member has its outputs",
        },
        { urgent: true },
      );
    }
    this.lookBehind(build, lost);
    return lost.length;
  }

  /** What was looked for came here, or is lost as well. */
  fetched(id: string, missing: readonly Digest[]): void {
    const search = this.open.get(id);
    if (!search) return;
    this.open.delete(id);
    for (const digest of search.digests) if (!missing.includes(digest)) this.desk.noteLocal(digest);
    const build = this.desk.builds.get(search.build);
    if (build && missing.length > 0) this.report(build, new Set(missing));
  }

  /** What actions take that must run again is brought here, where nobody alive says that he has it: somebody may have fetched it. */
  private lookBehind(build: Build, lost: readonly number[]): void {
    const { desk } = this;
    const claims = build.claims!;
    const needs = new Map<Digest, Needed>();
    const asked = new Set([...this.open.values()].flatMap(({ digests }) => digests));
    for (const index of lost) {
      const inputs = inputsOf(claims, index, desk.trees, build.inputFiles);
      if (inputs.kind !== "known") continue;
      for (const [digest, origin] of inputs.origins) {
        if (origin < 0 || needs.has(digest) || asked.has(digest) || desk.isLocal(digest)) continue;
        if (claims.actions.get(origin) !== "done") continue;
        const result = claims.resultOf(origin);
        const holders = result ? claims.holdersOf(origin, result) : [];
        if (holders.every((peer) => desk.isDead(peer))) needs.set(digest, { digest, holders });
      }
    }
    if (needs.size === 0) return;
    const id = `behind:${this.count++}`;
    this.open.set(id, { build: build.id, digests: [...needs.keys()] });
    desk.fetch(id, [...needs.values()]);
  }
}

function namesOne(
  desk: Desk,
  outputs: readonly { readonly digest: Digest; readonly kind: "file" | "folder" }[],
  gone: ReadonlySet<Digest>,
): boolean {
  return outputs.some(
    (o) =>
      gone.has(o.digest) ||
      (o.kind === "folder" && (desk.trees.get(o.digest)?.some((f) => gone.has(f.digest)) ?? false)),
  );
}
