/** Which swarms are on the LAN: asks by multicast who is there, then each that answers for the name of its swarm. */

import type { SwarmId } from "../../protocol/kernel/ids.ts";
import { encodeAdmission, readAdmission } from "../../protocol/swarm/admission.ts";
import { newSeed } from "../signer.ts";
import { createDialingHost } from "./libp2p.ts";
import { Caller } from "./redeem.ts";

const peersMax = 64;

/** A swarm of which at least one member answered. */
export interface Found {
  readonly swarm: SwarmId;
  readonly name: string;
  /** As the members say that answered: in all, and seen by one of them. */
  readonly members: number;
  readonly seen: number;
  /** Those that answered, with an address each. */
  readonly doors: readonly { readonly name: string; readonly address: string }[];
}

/** Listens for `forMs`, then asks whoever was found; in the order of names. */
export async function browse(forMs: number): Promise<Found[]> {
  const addresses = await listen(forMs);
  const caller = await Caller.open(newSeed());
  try {
    const request = encodeAdmission({ kind: "greet", wallMs: Date.now() });
    const answers = await Promise.allSettled(addresses.map((list) => caller.ring(list, request)));
    const found = new Map<SwarmId, Found>();
    for (const answer of answers) {
      if (answer.status === "rejected") continue;
      const reply = replyOf(answer.value.reply);
      if (reply?.kind !== "greeted") continue;
      const { swarm, swarmName, name, members, seen } = reply;
      const known = found.get(swarm);
      found.set(swarm, {
        swarm,
        name: swarmName,
        members: Math.max(members, known?.members ?? 0),
        seen: Math.max(seen, known?.seen ?? 0),
        doors: [...(known?.doors ?? []), { name, address: answer.value.address }],
      });
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  } finally {
    await caller.close();
  }
}

function replyOf(bytes: Uint8Array) {
  try {
    return readAdmission(bytes);
  } catch {
    return undefined; // whoever says what is no answer is no member of anything
  }
}

/** Addresses of each peer that answered. */
async function listen(forMs: number): Promise<string[][]> {
  const found = new Map<string, string[]>();
  const host = await createDialingHost(newSeed(), { mdns: true });
  host.addEventListener("peer:discovery", ({ detail: { id, multiaddrs } }) => {
    if (found.size < peersMax || found.has(id.toString()))
      found.set(
        id.toString(),
        multiaddrs.map((address) => `${address}/p2p/${id}`),
      );
  });
  try {
    await new Promise((resolve) => setTimeout(resolve, forMs));
  } finally {
    await host.stop();
  }
  return [...found.values()];
}
