/** A pinned channel stays on its epoch, whoever asks, until somebody lets it go on. */
import { expect, test } from "vitest";
import { Lab } from "./lab.ts";

const finalize = { kind: "finalize", channel: "stable", reason: "now" } as const;
const pin = (epoch: number | null, reason?: string) =>
  ({ kind: "pin", channel: "stable", epoch, ...(reason ? { reason } : {}) }) as const;

function farm(): Lab {
  const lab = new Lab(["ann", "bob"]);
  for (const node of lab.nodes) lab.start(node);
  lab.stage(lab.node("ann"), "first", { "bin/first": "1" });
  ask(lab, "ann", finalize);
  lab.stage(lab.node("ann"), "second", { "bin/second": "2" });
  return lab;
}

function ask(lab: Lab, name: string, command: Parameters<Lab["command"]>[1]) {
  lab.settle(200);
  const id = lab.command(lab.node(name), command);
  lab.settle(3000);
  return lab.replies.get(id);
}

test("nothing is finalized or rolled back while it is pinned, and everything once it is not", () => {
  const lab = farm();
  expect(ask(lab, "bob", pin(1, "conference week"))).toEqual({ ok: true });
  for (const command of [finalize, { kind: "rollback", channel: "stable", epoch: 1 } as const])
    expect(ask(lab, "ann", command)).toMatchObject({
      ok: false,
      code: "refused",
      message: "stable is pinned to epoch 1: conference week",
    });
  expect(ask(lab, "ann", { kind: "verify", channel: "stable" })).toMatchObject({ ok: true, epoch: 2 });
  expect(ask(lab, "ann", pin(null))).toEqual({ ok: true });
  expect(lab.node("bob").releases.pins.of("stable")).toBeUndefined();
  expect(ask(lab, "bob", finalize)).toMatchObject({ ok: true, epoch: 2 });
});

test("only the present epoch is pinned, and only what is pinned is let go", () => {
  const lab = farm();
  expect(ask(lab, "ann", pin(2))).toMatchObject({ ok: false, code: "not-found" });
  expect(ask(lab, "ann", pin(null))).toMatchObject({ ok: false, code: "not-found" });
  ask(lab, "ann", finalize);
  expect(ask(lab, "ann", pin(1))).toMatchObject({ ok: false, code: "refused" });
});

test("of two words that did not know each other the pin holds, and the next word answers both", () => {
  const lab = farm();
  ask(lab, "ann", pin(1, "first"));
  const [ann, bob] = [lab.node("ann"), lab.node("bob")];
  lab.command(ann, pin(null));
  lab.command(bob, pin(1, "still"));
  lab.settle(3000);
  for (const { releases } of [ann, bob]) expect(releases.pins.of("stable")).toMatchObject({ epoch: 1 });
  expect(ask(lab, "bob", pin(null))).toEqual({ ok: true });
  for (const { releases } of [ann, bob]) expect(releases.pins.of("stable")).toBeUndefined();
});
