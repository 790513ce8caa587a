/** Blobs that came, or did not: the id under which they were asked for says who waits for them. */
import type { BuildId, ClaimId, Digest, PeerId } from "./kernel/ids.ts";
import type { Releases } from "./release/releases.ts";
import type { Copies } from "./work/copies.ts";
import type { Desk } from "./work/desk.ts";
import type { Holder } from "./work/holder.ts";
import type { Losses } from "./work/lost.ts";
import type { Sealer } from "./work/sealer.ts";

export interface Waiting {
  readonly desk: Desk;
  readonly losses: Losses;
  readonly releases: Releases;
  readonly copies: Copies;
  readonly sealer: Sealer;
  readonly holder: Holder;
}

/** `hold:PEER:ID` answers who submits, `copy…` is a second copy, `gather:BUILD` for a seal, `behind:…` what lost results were made of; else it is the claim whose inputs they are. */
export function takeFetched(
  { desk, losses, releases, copies, sealer, holder }: Waiting,
  id: string,
  missing: readonly Digest[],
  fetchedBytes: number,
): void {
  if (releases.fetched(id, missing)) return;
  const [what, a, b] = id.split(":");
  if (what === "hold")
    desk.emit({ kind: "send", to: a as PeerId, message: { kind: "held", id: b!, missing: [...missing] } });
  else if (what === "copy") copies.fetched(id, missing, fetchedBytes);
  else if (what === "behind") losses.fetched(id, missing);
  else if (what === "gather") sealer.gathered(a as BuildId, missing);
  else holder.fetched(id as ClaimId, missing, fetchedBytes);
}
