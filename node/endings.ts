/** Why a daemon ends, or takes no work although it runs: in words, with what to do. */

import type { Ending } from "../protocol/contract.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Former } from "../protocol/swarm/members.ts";

/** What ended it, unless somebody asked for that. */
export const endings: Readonly<
  Record<Exclude<Ending, "asked">, { readonly what: string; readonly remedy: string }>
> = {
  cloned: {
    what: "a newer start of this node runs on another machine; this one ends",
    remedy:
      "stop the other and start this one again; if both are to work, make one a node of its own: swarmd join TICKET --home DIR",
  },
  behind: {
    what: "others know starts of this node that it does not remember: its disk was set back",
    remedy: "none is needed: it starts again, above all starts that are known",
  },
  left: {
    what: "this node has left the swarm",
    remedy: "its blobs stay in its home; to build again, enter a swarm with another --home",
  },
  revoked: {
    what: "this node was revoked: it is a member no more",
    remedy: "who said so, and why: swarmd member list on any member; to come back it needs a key of its own",
  },
  rotated: {
    what: "this node goes on under another key",
    remedy: "none is needed: it starts again with it",
  },
};

/** The home was copied, and both copies run. */
export const twins = {
  what: "this node runs twice, from one copied home on two machines; neither takes work",
  remedy: "stop one of them; if both are to work, make one a node of its own: swarmd join TICKET --home DIR",
};

/** Why a node that was a member may not start as one. */
export function formerly({ name, parting }: Former, by: string | undefined): SwarmError {
  const { why, reason } = parting;
  const because = reason === undefined ? "" : `: ${reason}`;
  return new SwarmError(
    "not-a-member",
    why === "left" ? `${name} has left the swarm${because}` : `${name} was revoked by ${by}${because}`,
    { remedy: "to come back it needs a key of its own: swarmd join with another --home" },
  );
}
