import { expect, test } from "vitest";
import type { ActionName, BuildId, Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Remembered } from "../../protocol/ports.ts";
import { offersOf } from "../../protocol/work/offers.ts";

const key = `${"a".repeat(64)}/1` as Digest;
/** A result of these members, known by its one output. */
const known = (mark: string, ...by: string[]): Remembered => ({
  result: { outputs: [{ path: "o", kind: "file", digest: `${mark.repeat(64)}/1` as Digest }] },
  made: by.map((peer) => ({
    build: "b-0000000000" as BuildId,
    action: "x" as ActionName,
    by: peer as PeerId,
  })),
});
const order = (...results: Remembered[]) =>
  offersOf(key, results).map(({ hit }) => hit.result.outputs[0]!.digest[0]);

test("the result that most members came to is offered first, of equals the newest", () => {
  expect(order(known("1", "ann", "ben"), known("2", "mal"))).toEqual(["1", "2"]);
  expect(order(known("1", "mal"), known("2", "ann"))).toEqual(["2", "1"]);
  expect(order(known("1", "ann"), known("2", "mal"), known("3", "ben", "cleo"))).toEqual(["3", "2", "1"]);
  expect(order()).toEqual([]);
});

test("who says a thing often is one member all the same", () => {
  expect(order(known("1", "ann", "ben"), known("2", "mal", "mal", "mal"))).toEqual(["1", "2"]);
});

test("an offer names who made it, the latest first, and who came to something else", () => {
  const [first] = offersOf(key, [known("2", "mal"), known("1", "ann", "ben")]);
  expect(first!.holders).toEqual(["ben", "ann"]);
  expect(first!.hit.made.map((m) => m.by)).toEqual(["ben", "ann"]);
  expect(first!.hit.divergent?.map((m) => m.by)).toEqual(["mal"]);
});
