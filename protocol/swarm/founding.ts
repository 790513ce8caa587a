/** The founding entry: the root key speaks once, names the swarm for ever and admits its first admin. */
import type { Incarnation, PeerId } from "../kernel/ids.ts";
import type { Entry } from "../timeline/entry.ts";
import type { Role } from "../timeline/events.ts";
import { swarmIdOf } from "./members.ts";

/** It says nothing else, ever. */
const rootIncarnation = "0-00000000" as Incarnation;

const founderRoles: readonly Role[] = ["admin", "releaser", "builder", "submitter"];

export interface Founding {
  readonly name: string;
  readonly root: PeerId;
  /** 32 hex digits: two swarms of one name and one root differ. */
  readonly nonce: string;
  readonly admin: PeerId;
  /** The admin's node name. */
  readonly adminName: string;
  readonly nowMs: number;
  /** Until when the admin's certificate opens connections, wall milliseconds. */
  readonly notAfterMs: number;
}

/** The first entry of a swarm, to be signed by the root key. */
export function foundingEntry(founding: Founding): Entry {
  const { name, root, nonce, admin, adminName, notAfterMs } = founding;
  return {
    v: 1,
    swarm: swarmIdOf(founding),
    author: root,
    inc: rootIncarnation,
    seq: 0,
    prev: null,
    hlc: [Math.floor(founding.nowMs), 0],
    last: -1,
    events: [
      { kind: "swarm.founded", name, root, nonce, admin, adminName },
      { kind: "member.admitted", peer: admin, name: adminName, roles: founderRoles, notAfterMs },
    ],
  };
}
