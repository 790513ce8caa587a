/** The part of a `Control` in memory that is about releases: none are there, and what is asked is remembered. */
import type { Publishing, ReleasesView, TaintsView } from "../../node/control/publishing.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { Manifest } from "../../protocol/release/manifest.ts";
import type { ReleaseCommand, ReleaseReply } from "../../protocol/release/releases.ts";
import { MemoryDebugging } from "./memory-debugging.ts";

export class MemoryPublishing extends MemoryDebugging implements Publishing {
  async releaseManifest(channel: string, epoch: number): Promise<Manifest> {
    throw new SwarmError("not-found", `${channel} has no epoch ${epoch}`);
  }

  risk: ReleaseReply["risk"];
  tainted: TaintsView = { taints: [], builds: [], staged: [], epochs: [], unread: [] };
  async releases(): Promise<ReleasesView> {
    return { channels: [], mirrors: [] };
  }

  async release({ kind }: ReleaseCommand): Promise<ReleaseReply> {
    if (kind === "verify") return { epoch: 3, risk: this.risk };
    if (kind === "finalize") throw new SwarmError("refused", "nothing is staged for stable");
    return {};
  }

  readonly taints = async (): Promise<TaintsView> => this.tainted;
  async taint({ peer, sinceMs }: { peer: PeerId; sinceMs: number }): Promise<TaintsView> {
    const taint = { node: peer, peerId: peer, sinceMs, by: "alpha" };
    this.tainted = { ...this.tainted, taints: [...this.tainted.taints, taint] };
    return this.tainted;
  }
}
