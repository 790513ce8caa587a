/** Says what a complete build releases: its steward lists the outputs that the spec names, and from then on they wait for a finalize. */
import { digestOf, emptyDigest, sizeOf } from "../kernel/digest.ts";
import { type BuildId, byText, type Digest, type PeerId } from "../kernel/ids.ts";
import { blobsOf, encodeSet, itemsMax, type ReleaseItem } from "../release/manifest.ts";
import type { Papers } from "../release/papers.ts";
import type { Staging } from "../release/staging.ts";
import type { Event } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { sidesOf } from "./divergence.ts";
import { awaited } from "./standing.ts";

/** Members named of one item. */
const nodesMax = 16;
/** A disk without room is tried again after this long. */
const againMs = 10_000;

export class Stager {
  private readonly desk: Desk;
  private readonly staging: Staging;
  private readonly papers: Papers;
  /** Lists on their way to the disk, and what is said once they are there. */
  private readonly storing = new Map<Digest, Extract<Event, { kind: "release.staged" }>>();
  /** Said since the start, or found to release nothing. */
  private readonly dealt = new Set<BuildId>();
  /** Staged again, their lists being lost. */
  private readonly anew = new Set<BuildId>();
  private againMonoMs = Number.NEGATIVE_INFINITY;

  constructor(desk: Desk, staging: Staging, papers: Papers) {
    this.desk = desk;
    this.staging = staging;
    this.papers = papers;
  }

  /** Stages what is complete and this node's to stage. */
  pump(): void {
    const { desk } = this;
    if (!desk.settled || desk.stopping || desk.mute || desk.now.monoMs < this.againMonoMs) return;
    for (const build of desk.builds.values()) {
      const { release } = build.graph ?? {};
      if (!release || build.claims?.sealed === undefined) continue;
      if (this.dealt.has(build.id)) {
        if (this.isLost(build, release.channel) && this.stage(build)) this.anew.add(build.id);
        continue;
      }
      const known = this.staging.of(release.channel, build.id) !== undefined;
      if (known || build.claims.sealed.event.state !== "complete") this.dealt.add(build.id);
      else if (desk.stewardOf(build.id, "") === desk.config.self) this.stage(build);
    }
  }

  /** A list is on the own disk, or there is no room for it. */
  stored(digest: Digest, ok: boolean): void {
    const event = this.storing.get(digest);
    if (!event) return;
    this.storing.delete(digest);
    if (ok) return this.desk.say(undefined, event, { urgent: true });
    this.dealt.delete(event.build);
    this.againMonoMs = this.desk.now.monoMs + againMs;
  }

  /** Somebody staged it, and is gone with the list: whoever looks for it and still knows the build makes another. */
  private isLost({ id, claims }: Build, channel: string): boolean {
    if (!this.papers.misses || this.anew.has(id) || claims!.sealed!.event.state !== "complete") return false;
    const staged = this.staging.of(channel, id);
    return staged !== undefined && this.papers.knownOf(staged.lists) === null;
  }

  /** Whether all is here that its list takes. */
  private stage(build: Build): boolean {
    const { channel, format, header } = build.graph!.release!;
    const items = awaited(build, this.desk.members) === 0 ? this.itemsOf(build) : undefined;
    if (!items) return false;
    this.dealt.add(build.id);
    const bytes = encodeSet({
      v: 1,
      channel,
      build: build.id,
      format,
      ...(header ? { header } : {}),
      items,
    });
    const digest = digestOf(bytes);
    this.storing.set(digest, {
      kind: "release.staged",
      channel,
      build: build.id,
      set: digest,
      items: items.length,
      bytes: blobsOf(items).reduce((sum, blob) => sum + sizeOf(blob), 0),
      submittedAtMs: Math.max(0, Math.round(build.submission!.wallMs)),
    });
    this.desk.emit({ kind: "store", digest, bytes });
    return true;
  }

  /** By path; undefined while a folder's list of files is on its way. */
  private itemsOf(build: Build): ReleaseItem[] | undefined {
    const claims = build.claims!;
    const items = new Map<string, ReleaseItem>();
    const included = new Set(build.graph!.release!.include);
    for (let index = 0; index < claims.actions.size; index++) {
      const { name } = claims.action(index);
      const result = included.has(name) ? claims.resultOf(index) : undefined;
      if (!result) continue;
      const nodes: PeerId[] = [...claims.holdersOf(index, result)].sort(byText).slice(0, nodesMax);
      const dissenters = sidesOf(claims, index)
        .slice(1)
        .flatMap(({ by }) => by);
      const origin = {
        build: build.id,
        action: name,
        nodes,
        ...(dissenters.length > 0
          ? { dissenters: [...new Set(dissenters)].sort(byText).slice(0, nodesMax) }
          : {}),
      };
      for (const { path, digest, kind, executable } of result.result.outputs) {
        if (kind === "file") {
          items.set(path, { path, digest, ...(executable ? { executable } : {}), ...origin });
          continue;
        }
        const tree = this.desk.trees.get(digest);
        if (!tree) {
          this.desk.awaitTree(digest, nodes);
          return undefined;
        }
        for (const file of tree)
          if (!file.folder)
            items.set(`${path}/${file.path}`, {
              path: `${path}/${file.path}`,
              digest: file.link === undefined ? file.digest : emptyDigest,
              ...(file.executable ? { executable: true as const } : {}),
              ...(file.link === undefined ? {} : { link: file.link }),
              ...origin,
            });
      }
    }
    return [...items.values()].sort((a, b) => byText(a.path, b.path)).slice(0, itemsMax);
  }
}
