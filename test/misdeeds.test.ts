/** How much a flood of what is wrong leaves in the log. */
import { expect, test } from "vitest";
import { Misdeeds } from "../node/misdeeds.ts";

test("of each peer five are told in a minute, the last says so, and the first of the next how many were left out", () => {
  let nowMs = 0;
  const misdeeds = new Misdeeds(() => nowMs);
  const told = Array.from({ length: 10_000 }, () => misdeeds.of("bob")).filter((line) => line !== undefined);
  expect(told).toEqual([{}, {}, {}, {}, { silence: "more of it is left out for a minute" }]);
  expect(misdeeds.of("cy")).toEqual({});
  expect(misdeeds.of(undefined)).toEqual({});
  nowMs = 60_000;
  expect(misdeeds.of("bob")).toEqual({ leftOut: 9_995 });
  expect(misdeeds.of("bob")).toEqual({});
});

test("a thousand peers are told apart; whoever made up more is forgotten, and begins again", () => {
  const misdeeds = new Misdeeds(() => 0);
  for (let n = 0; n < 6; n++) misdeeds.of("bob");
  expect(misdeeds.of("bob")).toBeUndefined();
  for (let n = 0; n < 1024; n++) misdeeds.of(`made up ${n}`);
  expect(misdeeds.of("bob")).toEqual({});
});

test("what each did is counted beyond the minute, also what was left out", () => {
  let nowMs = 0;
  const misdeeds = new Misdeeds(() => nowMs);
  for (let n = 0; n < 20; n++) misdeeds.of("mal");
  misdeeds.of("cy");
  misdeeds.of(undefined);
  nowMs = 60_000;
  misdeeds.of("mal");
  expect(misdeeds.tally()).toEqual([
    { peer: "mal", count: 21 },
    { peer: "cy", count: 1 },
  ]);
});
