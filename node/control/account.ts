/** What the daemon answers when it is asked for an account of what happened. All times are milliseconds, all sizes bytes. */
import type { Family } from "../../protocol/explain/families.ts";
import type { BuildId, PeerId } from "../../protocol/kernel/ids.ts";

/** Which lines of the timeline; all of them where nothing is said. */
export interface TimelineRequest {
  readonly build?: BuildId;
  /** A name or a peer id, also of one that is a member no more. */
  readonly node?: string;
  /** Kinds, families, or beginnings of kinds up to a dot. */
  readonly kinds?: readonly string[];
  /** By the clocks of those who spoke. */
  readonly sinceMs?: number;
  /** The last so many, before those that come. */
  readonly limit?: number;
  readonly follow: boolean;
}

/** An event as it was said, and by whom. */
export interface TimelineLine {
  /** By its author's clock. */
  readonly atMs: number;
  readonly node: string;
  readonly peerId: PeerId;
  readonly inc: string;
  /** Its entry's place in the author's chain, and its own place in that entry. */
  readonly seq: number;
  readonly place: number;
  readonly entry: string;
  readonly build?: BuildId;
  readonly family: Family;
  readonly kind: string;
  readonly action?: string;
  /** In words. */
  readonly text: string;
  /** Its author was cut off before: it counts nowhere. */
  readonly counts?: false;
  /** Every field; bytes as base64. */
  readonly event: { readonly kind: string };
}
