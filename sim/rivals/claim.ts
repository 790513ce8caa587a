/** A claim that is said without anybody having asked for it: valid from any builder. */
import type { ClaimId, Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Build } from "../../protocol/work/build.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import { groundsOf } from "../../protocol/work/inputs.ts";

/** Says that `holder` has a ready action from here on. */
export function claimFor(desk: Desk, build: Build, index: number, key: Digest, holder: PeerId): ClaimId {
  const { config, peers } = desk;
  const claims = build.claims!;
  const claim = desk.newClaimId();
  desk.say(
    build.id,
    {
      kind: "claim",
      claim,
      action: claims.action(index).name,
      attempt: claims.claimsOf(index).length + 1,
      key,
      holder,
      holderInc: holder === config.self ? config.inc : peers.incarnationOf(holder)!,
      ...groundsOf(claims, index),
    },
    { urgent: true },
  );
  return claim;
}
