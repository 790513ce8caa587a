import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { isDirect, Press } from "../../node/network/press.ts";
import { encode } from "../../protocol/kernel/codec.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import { key, swarm } from "./swarm.ts";

const [ann, bob, eve] = await Promise.all(["ann", "bob", "eve"].map(async (name) => (await key(name)).peer));
const maxBytes = 64 << 10;

/** Where ann's side and bob's stand when both know these members, and have told each other. */
function lines(ofAnn: readonly PeerId[], ofBob: readonly PeerId[]) {
  const [a, b] = [new Press(swarm, () => ofAnn), new Press(swarm, () => ofBob)];
  expect(b.greets(ann!, a.greeting())).toBe(true);
  expect(a.greets(bob!, b.greeting())).toBe(true);
  return { a, b };
}

const word = encode({
  kind: "claim",
  swarm,
  author: ann,
  key: `${swarm}/143`,
  claim: `${ann}.1-0123abcd.7`,
  others: [
    [`${bob}`, 0.5],
    [`${bob}.1-0123abcd.7`, 1],
  ],
});

it("brings back what was said, whatever the message", () => {
  const { a, b } = lines([ann!, bob!], [ann!, bob!]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), fc.boolean(), (noise, known) => {
      const message = encode({ noise, ann, word });
      const pressed = a.press(message, known ? [bob!] : []);
      expect(pressed.length).toBeLessThanOrEqual(message.length);
      expect(Buffer.compare(b.open(pressed, maxBytes), message)).toBe(0);
    }),
  );
});

it("names swarm and members in next to nothing once the other side knows the same ones", () => {
  const { a, b } = lines([ann!, bob!], [bob!, ann!]);
  const [alone, known] = [a.press(word, []), a.press(word, [bob!])];
  expect(alone.length).toBeLessThan(0.8 * word.length);
  expect(known.length).toBeLessThan(0.4 * word.length);
  for (const pressed of [alone, known]) expect(Buffer.compare(b.open(pressed, maxBytes), word)).toBe(0);
});

it("is read by each whom it is for: one that knows other members gets it without them, one that said nothing gets it bare", () => {
  const { a, b } = lines([ann!, bob!], [ann!, bob!, eve!]);
  // An older version, or one whose greeting is still under way.
  expect(a.press(word, [bob!, eve!])).toBe(word);
  a.greets(eve!, new Press(swarm, () => [eve!]).greeting());
  const wide = a.press(word, [bob!, eve!]);
  expect(Buffer.compare(a.press(word, [bob!]), wide)).toBe(0);
  expect(Buffer.compare(b.open(wide, maxBytes), word)).toBe(0);
});

it("goes on reading by the members of a moment ago, and tells when there are others", () => {
  let members = [ann!, bob!];
  const b = new Press(swarm, () => members);
  const a = lines([ann!, bob!], members).a;
  a.greets(bob!, b.greeting());
  const before = a.press(word, [bob!]);
  expect(b.membersChanged()).toBe(false);
  members = [ann!, bob!, eve!];
  expect(b.membersChanged()).toBe(true);
  expect(Buffer.compare(b.open(before, maxBytes), word)).toBe(0);
  a.greets(bob!, b.greeting());
  expect(a.press(word, [bob!]).length).toBeGreaterThan(before.length);
  a.gone(bob!);
  expect(a.press(word, [bob!])).toBe(word);
});

it("has one vocabulary for ever: versions that differ press by it", () => {
  expect(Buffer.from(new Press(swarm, () => []).greeting()).toString("hex")).toBe("038c57b8b7");
});

it("says of what every other member hears from its author that nobody need pass it on", () => {
  const { a, b } = lines([ann!, bob!, eve!], [ann!, bob!, eve!]);
  a.greets(eve!, b.greeting());
  const [part, whole] = [a.press(word, [bob!], 1), a.press(word, [bob!], 2)];
  expect([isDirect(part), isDirect(whole), isDirect(word)]).toEqual([false, true, false]);
  expect(isDirect(a.press(word, [bob!, eve!], 2))).toBe(true);
  for (const pressed of [part, whole]) expect(Buffer.compare(b.open(pressed, maxBytes), word)).toBe(0);
});

it("opens no more than it was told to, however much was pressed into little", () => {
  const { a, b } = lines([ann!], [ann!]);
  const bomb = Buffer.concat([Uint8Array.of(1), deflateRawSync(Buffer.alloc(8 << 20))]);
  expect(bomb.length).toBeLessThan(maxBytes * 2);
  expect(() => b.open(bomb, maxBytes)).toThrowError(expect.objectContaining({ code: "too-large" }));
  expect(a.press(encode({ zeros: new Uint8Array(maxBytes) }), []).length).toBeLessThan(1000);
});

it("refuses what was never pressed, and lists of members it does not know", () => {
  const { a } = lines([ann!, bob!], [ann!, bob!]);
  const stranger = new Press(swarm, () => [eve!]);
  expect(() => stranger.open(a.press(word, [bob!]), maxBytes)).toThrowError(
    expect.objectContaining({ code: "malformed" }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 }), fc.uint8Array({ maxLength: 300 }), (kind, rest) => {
      try {
        stranger.open(Uint8Array.of(kind, ...rest), maxBytes);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SwarmError);
      }
    }),
  );
});
