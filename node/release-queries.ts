/** What people are told of releases: channels, epochs, what is staged, who votes and who serves. Reads only. */
import { sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { BuildId, PeerId } from "../protocol/kernel/ids.ts";
import { quorumOf } from "../protocol/release/ballot.ts";
import type { Epochs } from "../protocol/release/epochs.ts";
import { blobsOf, decodeManifest, type Manifest } from "../protocol/release/manifest.ts";
import type { Releases } from "../protocol/release/releases.ts";
import type { NodeState } from "./control/api.ts";
import type { ChannelView, EpochView, MirrorView, ReleasesView, StagedView } from "./control/publishing.ts";
import type { BlobStore } from "./ports.ts";

export interface ReleaseQueriesParts {
  readonly releases: Releases;
  readonly blobs: Pick<BlobStore, "has" | "read">;
  readonly nameOf: (peer: PeerId) => string;
  readonly stateOf: (peer: PeerId) => NodeState;
  /** Brings blobs here; throws `blob-missing`. */
  readonly bring: (digests: readonly Manifest["items"][number]["digest"][]) => Promise<void>;
}

export class ReleaseQueries {
  private readonly parts: ReleaseQueriesParts;

  constructor(parts: ReleaseQueriesParts) {
    this.parts = parts;
  }

  view(): ReleasesView {
    const { releases, nameOf, stateOf } = this.parts;
    const channels = releases.channels().map((epochs) => this.channel(epochs));
    const mirrors = releases.mirrors.all().map(
      ({ peer, votes }): MirrorView => ({
        node: nameOf(peer),
        peerId: peer,
        state: stateOf(peer),
        votes,
        shows: releases.channels().map(({ channel, current }) => {
          const { epoch, lags } = releases.mirrors.shows(peer, channel);
          return { channel, epoch, of: current, ...(lags && epoch < current ? { lags: lags.reason } : {}) };
        }),
      }),
    );
    return { channels, mirrors };
  }

  /** The number of files that wait in all channels. */
  staged(): number {
    const { releases } = this.parts;
    return releases
      .channels()
      .flatMap(({ channel }) => releases.waiting(channel) ?? [])
      .reduce((sum, { items }) => sum + items, 0);
  }

  /** What waits in a channel, as far as its lists are here. */
  stagedItems(channel: string): { readonly build: BuildId; readonly items: Manifest["items"] }[] {
    const { releases } = this.parts;
    return (releases.waiting(channel) ?? []).flatMap(({ build, lists }) => {
      const items = releases.papers.knownOf(lists)?.items;
      return items ? [{ build, items }] : [];
    });
  }

  /** What an epoch holds. Throws `not-found`, `blob-missing`. */
  async manifest(channel: string, epoch: number): Promise<Manifest> {
    const { releases, blobs, bring } = this.parts;
    const certified = releases.epochs(channel)?.certified[epoch - 1];
    if (!certified)
      throw new SwarmError("not-found", `${channel} has no epoch ${epoch}`, {
        remedy: "see which there are: swarmd releases list",
      });
    const { manifest } = certified.proposal;
    await bring([manifest]);
    return decodeManifest(await blobs.read(manifest));
  }

  private channel(epochs: Epochs): ChannelView {
    const { releases, nameOf, stateOf } = this.parts;
    const { channel, current, certified } = epochs;
    const voters = (epochs.voters(current + 1) ?? []).map(({ peer }) => ({
      node: nameOf(peer),
      peerId: peer,
      state: stateOf(peer),
    }));
    const here = voters.filter((v) => v.state === "alive" || v.state === "self").length;
    const pin = releases.pins.of(channel);
    const staged = this.stagedIn(channel);
    const spare = here - quorumOf(voters.length);
    return {
      channel,
      current,
      voters,
      atRisk:
        spare < 0
          ? `nothing can be released: ${here} of ${voters.length} voters are here, ${quorumOf(voters.length)} are needed`
          : spare === 0
            ? `with one voter less nothing can be released${voters.length < 3 ? "; three mirrors that vote stand the loss of one: swarmd mirror add on further nodes" : ""}`
            : null,
      hindered: staged.length === 0 ? null : hindranceOf(staged, pin && nameOf(pin.by)),
      ...(pin
        ? { pinned: { by: nameOf(pin.by), ...(pin.reason === undefined ? {} : { reason: pin.reason }) } }
        : {}),
      epochs: certified.map((_, index) => this.epoch(epochs, index + 1)),
      conflicts: [...epochs.conflicts],
      staged,
    };
  }

  private stagedIn(channel: string): StagedView[] {
    const { releases, nameOf } = this.parts;
    return (releases.waiting(channel) ?? []).map((staged): StagedView => {
      const set = releases.papers.knownOf(staged.lists);
      const blobs = set ? blobsOf(set.items) : [];
      const missing = blobs.filter((digest) => !this.parts.blobs.has(digest));
      return {
        build: staged.build,
        items: staged.items,
        bytes: staged.bytes,
        stagedBy: nameOf(staged.by),
        paths: set?.items.map(({ path }) => path) ?? [],
        ...(set === undefined
          ? { waitsFor: "its list is on its way" }
          : set === null
            ? { waitsFor: `its list, which nobody in reach has; ${nameOf(staged.by)} made it` }
            : {}),
        missingHere: missing.length,
        missingBytes: missing.reduce((sum, digest) => sum + sizeOf(digest), 0),
      };
    });
  }

  private epoch(epochs: Epochs, epoch: number): EpochView {
    const { releases, nameOf } = this.parts;
    const { value, ballot, proposal, certificate } = epochs.certified[epoch - 1]!;
    return {
      epoch,
      atMs: proposal.atMs,
      manifest: proposal.manifest,
      value,
      by: nameOf(ballot.by),
      round: ballot.round,
      votes: certificate.map(({ entry, id }) => ({ node: nameOf(entry.author), entry: id })),
      voters: epochs.voters(epoch)!.map((v) => nameOf(v.peer)),
      nextVoters: proposal.voters.map((v) => nameOf(v.peer)),
      shownBy: releases.mirrors
        .all()
        .filter((m) => releases.mirrors.shows(m.peer, epochs.channel).epoch === epoch)
        .map((m) => nameOf(m.peer)),
    };
  }
}

/** In words, the first thing that has to be dealt with. */
function hindranceOf(staged: readonly StagedView[], pinnedBy: string | undefined): string | null {
  if (pinnedBy !== undefined) return `which waits: ${pinnedBy} pinned the channel, see releases unpin`;
  const blind = staged.find(({ waitsFor }) => waitsFor !== undefined);
  if (blind) return `which waits: ${blind.build} lacks ${blind.waitsFor}`;
  const missing = staged.reduce((sum, { missingHere }) => sum + missingHere, 0);
  return missing > 0 ? `${missing} of its files not on this disk` : null;
}
