/** Ways to share out work that were held against the daemons' own, by name. */
import type { Hands } from "../../protocol/core.ts";
import { Courier } from "../../protocol/work/courier.ts";
import { Granter } from "../../protocol/work/granter.ts";
import { Scheduler } from "../../protocol/work/scheduler.ts";
import { FirstCome, rankDelay, SilentCourier, SilentGranter } from "./self-claims.ts";
import { TwoChoices, Waiting } from "./two-choices.ts";

export const rivals = ["steward", "rank-delay", "two-choices", "first-come"] as const;
export type Rival = (typeof rivals)[number];

/** A turn must outlast the news of a claim: the age of gossip, and what signing and sending take. */
const turnMs = (gossipAgeMs: number): number => 1.2 * gossipAgeMs + 5;

/** What a core of that kind is made with. `gossipAgeMs`: how old what nodes hear of each other is; no daemon would know it. */
export function handsOf(rival: Rival, gossipAgeMs: number): Hands {
  switch (rival) {
    case "steward":
      return { Courier, Granter, Scheduler };
    case "rank-delay":
      return { Courier: SilentCourier, Granter: SilentGranter, Scheduler: rankDelay(turnMs(gossipAgeMs)) };
    case "two-choices":
      return { Courier, Granter: TwoChoices, Scheduler: Waiting };
    case "first-come":
      return { Courier: SilentCourier, Granter: SilentGranter, Scheduler: FirstCome };
  }
}
