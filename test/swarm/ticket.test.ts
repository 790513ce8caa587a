import fc from "fast-check";
import { expect, test } from "vitest";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { SwarmId } from "../../protocol/kernel/ids.ts";
import {
  decodeTicket,
  encodeTicket,
  readTicket,
  type Ticket,
  ticketTextMax,
} from "../../protocol/swarm/ticket.ts";
import { roles } from "../../protocol/timeline/events.ts";
import { peerNamed } from "../contract/chain.ts";

const ticket: Ticket = {
  swarm: "a1".repeat(32) as SwarmId,
  swarmName: "home",
  ticket: "0123456789abcdef",
  issuer: peerNamed("ann"),
  addrs: ["/ip4/192.0.2.7/tcp/4701", "/dns/ann.example/tcp/4701"],
  roles: ["builder", "submitter"],
  notAfterMs: 1_800_000_000_000,
  secret: new Uint8Array(32).fill(7),
};
const text = encodeTicket(ticket);

const anyTicket: fc.Arbitrary<Ticket> = fc.record({
  swarm: fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((b) => Buffer.from(b).toString("hex") as SwarmId),
  swarmName: fc.string({ minLength: 1, maxLength: 64, unit: "grapheme-ascii" }),
  ticket: fc.stringMatching(/^[0-9a-z]{8,32}$/),
  issuer: fc.string().map(peerNamed),
  addrs: fc.array(
    fc.string({ maxLength: 180, unit: "grapheme-ascii" }).map((s) => `/dns/${s}`),
    {
      minLength: 1,
      maxLength: 16,
    },
  ),
  roles: fc.subarray([...roles], { minLength: 1 }),
  notAfterMs: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
});

test("a ticket is one word of letters and digits that says all it was made of", () => {
  expect(text).toMatch(/^swarmd1[a-z2-7]+$/);
  expect(decodeTicket(text)).toEqual(ticket);
});

test("any ticket survives its text", () => {
  fc.assert(
    fc.property(anyTicket, (any) => {
      const word = encodeTicket(any);
      expect(word.length).toBeLessThanOrEqual(ticketTextMax);
      expect(decodeTicket(word)).toEqual(any);
    }),
    { numRuns: 200 },
  );
});

test("a paste over several lines, indented or in capitals is the same ticket", () => {
  const wrapped = ` ${text.replace(/.{60}/g, "$&\n    ")}\r\n`;
  expect(decodeTicket(wrapped)).toEqual(ticket);
  expect(decodeTicket(text.toUpperCase())).toEqual(ticket);
});

test("a ticket cut anywhere is told as cut short, not as mistyped", () => {
  for (let length = "swarmd1".length; length < text.length; length++)
    expect(readTicket(text.slice(0, length)), `cut to ${length}`).toBe("cut-short");
  expect(() => decodeTicket(text.slice(0, -1))).toThrow(expect.objectContaining({ code: "ticket-invalid" }));
});

test("a ticket with one character changed, doubled or added is never taken for another", () => {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  const start = "swarmd1".length;
  for (let at = start; at < text.length; at++) {
    const was = alphabet.indexOf(text[at]!);
    const changed = text.slice(0, at) + alphabet[(was + 1) % 32] + text.slice(at + 1);
    expect(typeof readTicket(changed), `changed at ${at}`).toBe("string");
    if (at > start + 4) expect(readTicket(changed), `changed at ${at}`).toBe("mistyped");
    expect(typeof readTicket(text.slice(0, at) + text[at] + text.slice(at))).toBe("string");
  }
  expect(readTicket(`${text}a`)).toBe("mistyped");
  expect(readTicket(text.replace(/.$/, "1"))).toBe("mistyped");
});

test("what is no ticket is told as such, and a newer version as newer", () => {
  for (const other of [
    "",
    "swarmd",
    "hello",
    "/ip4/127.0.0.1/tcp/1",
    "swarmd0abc",
    "1swarmd",
    "a".repeat(100_000),
  ])
    expect(readTicket(other)).toBe("not-a-ticket");
  expect(readTicket(text.replace("swarmd1", "swarmd2"))).toBe("newer-version");
  expect(() => decodeTicket("swarmd12xyz")).toThrow(expect.objectContaining({ code: "version-unknown" }));
});

test("any text gives a ticket or a typed refusal, with a remedy", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^swarmd1[a-z2-7]{0,400}$/)), (any) => {
      try {
        decodeTicket(any);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SwarmError);
        expect((thrown as SwarmError).remedy).toBeTruthy();
      }
    }),
    { numRuns: 2000 },
  );
});

test("a ticket with fields out of bounds is not made", () => {
  const wrong: Partial<Record<keyof Ticket, unknown>>[] = [
    { secret: new Uint8Array(31) },
    { addrs: [] },
    { addrs: Array(17).fill("/ip4/127.0.0.1/tcp/1") },
    { addrs: ["192.0.2.7:4701"] },
    { roles: [] },
    { roles: ["root"] },
    { swarm: "no" },
    { issuer: "nobody" },
    { ticket: "../x" },
    { notAfterMs: Number.NaN },
  ];
  for (const fields of wrong)
    expect(() => encodeTicket({ ...ticket, ...fields } as Ticket), JSON.stringify(fields)).toThrow(
      expect.objectContaining({ code: "ticket-invalid" }),
    );
});
