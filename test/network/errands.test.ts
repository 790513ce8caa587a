import { expect, it } from "vitest";
import { Errands } from "../../node/network/errands.ts";
import { type Digest, peerIdOf } from "../../protocol/kernel/ids.ts";

const [ann, ben] = [1, 2].map((n) => peerIdOf(new Uint8Array(32).fill(n)));
const blobOf = (gibibytes: number) => `${"0".repeat(64)}/${gibibytes * 2 ** 30}` as Digest;

it("errands are bounded for each who sends somebody, at once and in all, and allowed again with time", () => {
  let nowMs = 0;
  const errands = new Errands(() => nowMs);
  const first = errands.begin(ann!, blobOf(1));
  expect(first).toBeDefined();
  expect(errands.begin(ann!, blobOf(1))).toBeDefined();
  expect(errands.begin(ann!, blobOf(1))).toBeUndefined();
  expect(errands.begin(ben!, blobOf(1))).toBeDefined();
  first!();
  first!();
  expect(errands.begin(ann!, blobOf(3))).toBeUndefined();
  expect(errands.begin(ann!, blobOf(2))).toBeDefined();
  expect(errands.begin(ann!, blobOf(1))).toBeUndefined();
  expect(errands.begin(ben!, blobOf(5))).toBeUndefined();
  nowMs += 5 * 3_600_000;
  expect(errands.begin(ben!, blobOf(4))).toBeDefined();
});
