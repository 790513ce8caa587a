/** What a build releases waits until it is finalized, and is then shown by every mirror: in whole cores. */
import { expect, test } from "vitest";
import { Core } from "../../protocol/core.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { graphOf } from "../work/facts.ts";
import { Cores } from "./cores.ts";

const releases = {
  ...graphOf({ a: [], b: ["a"], c: ["a"] }),
  release: { channel: "stable", format: "files", include: ["b", "c"] as ActionName[] },
};
const roles = ["releaser", "builder", "submitter"] as const;
const three = { ann: {}, bob: { roles }, cy: { roles } };
const finalize = { kind: "finalize", channel: "stable" } as const;

test("staged by one, finalized by another, shown by those whose owners let them", () => {
  const cores = new Cores(three);
  for (const name of ["ann", "bob"])
    expect(cores.command(name, { kind: "mirror", op: "add", votes: true })).toEqual({ ok: true });
  const build = cores.submit("ann", releases);
  cores.finish(build);
  cores.runFor(2000);
  for (const { core } of cores.nodes)
    expect(core.releases.pending("stable")).toMatchObject([{ build, items: 2 }]);
  expect(cores.command("cy", finalize)).toEqual({ ok: true, epoch: 1 });
  cores.runFor(2000);
  for (const { core } of cores.nodes) expect(core.releases.pending("stable")).toEqual([]);
  const steps = (name: string) =>
    cores
      .node(name)
      .of("publish")
      .map((e) => e.step.step);
  expect(steps("ann")).toEqual(["begin", "fill", "index", "keep", "switch"]);
  expect(steps("bob")).toEqual(steps("ann"));
  expect(steps("cy")).toEqual([]);
  const { mirrors } = cores.node("cy").core.releases;
  expect(cores.nodes.map((n) => mirrors.shows(n.peer, "stable").epoch)).toEqual([1, 1, 0]);
});

test("a build that failed stages nothing, and one that is dropped waits no more", () => {
  const cores = new Cores(three, {
    run: (request) => (request.action === "b" && fails ? failed : undefined),
  });
  let fails = true;
  const failed = { ms: 10, outcome: { kind: "failed", cause: "deterministic", reason: "no" } } as const;
  const broken = cores.submit("ann", releases);
  cores.finish(broken);
  cores.runFor(1000);
  expect(cores.node("bob").core.releases.pending("stable")).toEqual([]);
  fails = false;
  const build = cores.submit("ann", releases);
  cores.finish(build);
  cores.runFor(1000);
  expect(cores.node("bob").core.releases.pending("stable")).toHaveLength(1);
  expect(cores.command("bob", { kind: "drop", channel: "stable", build, reason: "wrong branch" })).toEqual({
    ok: true,
  });
  cores.runFor(1000);
  expect(cores.node("cy").core.releases.pending("stable")).toEqual([]);
  expect(cores.command("cy", finalize)).toMatchObject({ ok: false, code: "refused" });
});

test("a core that votes and coordinates can be saved and loaded at any moment", () => {
  const cores = new Cores(three, {
    stepped: (node) => {
      if (node.core.releases.channels().length > 0) node.core = Core.load(node.core.save());
    },
  });
  cores.command("ann", { kind: "mirror", op: "add", votes: true });
  const build = cores.submit("ann", releases);
  cores.finish(build);
  cores.runFor(1000);
  expect(cores.command("bob", finalize)).toEqual({ ok: true, epoch: 1 });
});
