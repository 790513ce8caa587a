import { base32 } from "multiformats/bases/base32";
import { expect, test } from "vitest";
import { encode } from "../../protocol/kernel/codec.ts";
import { sha256 } from "../../protocol/kernel/digest.ts";
import { decodeTicket, encodeTicket, readTicket, type Ticket } from "../../protocol/swarm/ticket.ts";
import { fakePeer } from "../../sim/signer.ts";
import { hostileBytes } from "./bytes.ts";
import { fuzz } from "./fuzz.ts";
import { swarm } from "./swarm.ts";
import { hostileValue } from "./values.ts";

const ticket: Ticket = {
  swarm,
  swarmName: "hostile",
  ticket: "abcdefgh",
  issuer: fakePeer("ann"),
  addrs: ["/ip4/192.0.2.7/tcp/4701", "/ip6/2001:db8::7/tcp/4701"],
  roles: ["builder", "submitter"],
  notAfterMs: 1_800_000_000_000,
  secret: new Uint8Array(32).fill(7),
};
const text = encodeTicket(ticket);

/** Every refusal says what to do; what is taken has no second text. */
function take(word: string): void {
  const read = readTicket(word);
  if (typeof read !== "string") expect(encodeTicket(read)).toBe(word.replace(/\s+/g, "").toLowerCase());
  decodeTicket(word);
}
const refused = (_: unknown, { remedy }: { remedy: string | undefined }) => expect(remedy).toBeTruthy();

test("altered texts of tickets are refused with a remedy, or are the one text of a ticket", () => {
  const samples = [Buffer.from(text), Buffer.from(`\n ${text.toUpperCase()} \n`)];
  fuzz({
    make: (dice) =>
      Buffer.from(hostileBytes(dice, samples, 20_000)).toString(dice.once(2) ? "latin1" : "utf8"),
    run: take,
    refused,
  });
});

test("whole tickets that say other things are refused with a remedy, or are the one text of what they say", () => {
  const { taken } = fuzz({
    make: (dice) => {
      try {
        const bytes = encode(hostileValue(dice, [{ v: 1, ...ticket }]));
        return whole(dice.once(4) ? hostileBytes(dice, [bytes], 5000) : bytes);
      } catch {
        return "swarmd1";
      }
    },
    run: take,
    refused,
  });
  expect(taken).toBeGreaterThan(0.01);
});

/** The text of a ticket that holds these bytes, its length and checksum right. */
function whole(body: Uint8Array): string {
  const length = Uint8Array.of((body.length >> 8) & 0xff, body.length & 0xff);
  const bytes = Buffer.concat([length, body]);
  return `swarmd1${base32.baseEncode(Buffer.concat([bytes, sha256(bytes).subarray(0, 4)]))}`;
}
