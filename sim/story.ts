/** Events in words, for transcripts: peers by their names, claims as `name.start.count`. */
import type { AnyEvent } from "../protocol/timeline/entry.ts";
import type { World } from "./world.ts";

const peerText = /12D3KooW[1-9A-HJ-NP-Za-km-z]{44}/g;
/** The nonce of an incarnation within a claim's id. */
const nonce = /\.([0-9]+)-[0-9a-f]{8}\./g;
/** What an event is about, in the order it is told; the rest of its fields stays in the entry. */
const told = [
  "action",
  "claim",
  "holder",
  "from",
  "op",
  "state",
  "cause",
  "results",
  "peer",
  "name",
  "reason",
] as const;

/** `claim link1 ann.1.4 bob`: the kind and what the event is about. */
export function tell(event: AnyEvent, world: World): string {
  const words: string[] = [event.kind];
  for (const field of told) {
    const value = event[field];
    if (typeof value === "string") words.push(field === "reason" ? `(${value})` : value);
    else if (Array.isArray(value)) words.push(value.join(" "));
  }
  return words
    .join(" ")
    .replace(peerText, (peer) => world.name(peer))
    .replace(nonce, ".$1.");
}
