/** What status says of who may let others in, and of who waits for that. */
import { expect, test } from "vitest";
import { governanceOf } from "../../cli/commands/status.ts";

const node = (name: string, state = "alive") =>
  ({ name, state }) as Parameters<typeof governanceOf>[0]["node"];
const swarm = { id: "0".repeat(64), name: "garden", members: 2 };
const two = { swarm, node: node("ann"), peers: [node("ben")], admins: ["ann"], asking: [] };
const lines = (view: Parameters<typeof governanceOf>[0]) =>
  governanceOf(view, (args) => `swarmd ${args.join(" ")}`);

test("a swarm of several with one admin is told how to make another; one with two, or one machine alone, is not", () => {
  expect(lines(two)).toEqual([
    "ann is the only admin: without it nobody can be admitted or revoked; make another: swarmd member role ben +admin",
  ]);
  expect(lines({ ...two, node: node("ben"), peers: [node("ann")] })).toEqual([
    "ann is the only admin: without it nobody can be admitted or revoked; make another: swarmd member role ben +admin, on ann",
  ]);
  expect(lines({ ...two, peers: [node("ben", "dead"), node("cy")] })[0]).toContain("member role cy +admin");
  expect(lines({ ...two, admins: ["ann", "ben"] })).toEqual([]);
  expect(lines({ ...two, swarm: { ...swarm, members: 1 }, peers: [] })).toEqual([]);
});

test("who asks to join is named with the command that lets it in, and where to run it; many are counted", () => {
  const admins = ["ann", "ben"];
  expect(lines({ ...two, admins, asking: ["zoe"] })).toEqual(["zoe asks to join: swarmd approve zoe"]);
  expect(lines({ ...two, node: node("cleo"), admins, asking: ["zoe"] })).toEqual([
    "zoe asks to join: swarmd approve zoe, on ann or ben",
  ]);
  const many = Array.from({ length: 8 }, (_, i) => `n${i}`);
  expect(lines({ ...two, admins, asking: many }).at(-1)).toBe("and 3 more ask to join: swarmd approve");
});
