/** Tells the log, once each time, whose wall clock differs from this machine's. */
import type { PeerId } from "../protocol/kernel/ids.ts";
import type { Log } from "./log.ts";

export class WrongClocks {
  private readonly log: Log;
  private readonly known = new Set<PeerId>();

  constructor(log: Log) {
    this.log = log;
  }

  /** A beat of a peer was heard; `aheadMs` of its clock before this one, undefined where they agree. */
  heard(peer: PeerId, name: string | undefined, aheadMs: number | undefined): void {
    if ((aheadMs !== undefined) === this.known.has(peer)) return;
    if (aheadMs === undefined) {
      this.known.delete(peer);
      this.log.info({ peer, name }, "a member's clock and this one agree again");
      return;
    }
    this.known.add(peer);
    this.log.warn(
      { peer, name, aheadMs: Math.round(aheadMs) },
      "a member's clock differs from this one; nobody obeys it, but certificates and tickets may seem to have ended: set the wrong one right",
    );
  }
}
