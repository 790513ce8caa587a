import { describe, expect, test } from "vitest";
import { checkAnnounced, checkClocks, checkMisdeeds, checkReach } from "../../node/doctor/company.ts";
import { checkService } from "../../node/doctor/service.ts";
import type { Inquiry, Mesh, Try } from "../../node/ports.ts";
import type { Core } from "../../protocol/core.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import { fakePeer } from "../../sim/signer.ts";

const names = new Map(["ann", "ben", "cat", "dan"].map((name) => [fakePeer(name), name]));
const queries = { nameOf: (peer: PeerId) => names.get(peer)! };

/** A node's network in which members answer a dial like this, by name. */
function meshOf(
  answers: Readonly<Record<string, Omit<Try, "address"> | undefined>>,
  addresses: readonly string[],
) {
  const peers = Object.keys(answers).map(fakePeer);
  return {
    connected: () => peers,
    addresses: () => addresses.map((address) => `${address}/p2p/x`),
    inquire: async (peer: PeerId, inquiry: Inquiry) => {
      const answer = answers[queries.nameOf(peer)];
      if (!answer || inquiry.kind !== "dial") throw new Error("no answer");
      return {
        answer: { kind: "dial", tries: inquiry.addresses.map((address) => ({ address, ...answer })) },
      };
    },
  } as unknown as Pick<Mesh, "connected" | "addresses" | "inquire">;
}

describe("dialled back", () => {
  const look = (mesh: ReturnType<typeof meshOf>, firewall?: Parameters<typeof checkReach>[2]) =>
    checkReach(mesh, queries, firewall);
  const open = ["/ip4/192.0.2.7/tcp/4701"];

  test("one that reaches it is enough", async () => {
    const mesh = meshOf({ ben: { why: "no route to that host" }, cat: { latencyMs: 3 } }, open);
    expect(await look(mesh)).toMatchObject({ level: "ok", text: "cat at /ip4/192.0.2.7/tcp/4701" });
  });

  test("where nobody does the firewall's line is the remedy, if there is one", async () => {
    const mesh = meshOf({ ben: { why: "no answer" } }, open);
    expect(await look(mesh)).toMatchObject({ level: "note", remedy: expect.stringContaining("router") });
    const firewall = {
      check: "firewall",
      level: "note",
      text: "shut",
      remedy: "ufw allow 4701/tcp",
    } as const;
    expect(await look(mesh, firewall)).toMatchObject({ level: "note", remedy: "ufw allow 4701/tcp" });
  });

  test("alone, listening nowhere, or without an answer, that is what is said", async () => {
    expect(await look(meshOf({}, open))).toMatchObject({ level: "ok" });
    expect(await look(meshOf({ ben: { latencyMs: 1 } }, []))).toMatchObject({
      text: expect.stringContaining("nowhere"),
    });
    expect(await look(meshOf({ ben: undefined }, open))).toMatchObject({ remedy: "swarmd node reach" });
  });

  test("each announced address is tried, and named where nobody reaches it", async () => {
    const announced = ["/dns/builder.example/tcp/4701"];
    expect(await checkAnnounced([], meshOf({ ben: { latencyMs: 1 } }, open), queries)).toEqual([]);
    expect(await checkAnnounced(announced, meshOf({ ben: { latencyMs: 1 } }, open), queries)).toMatchObject([
      { level: "ok" },
    ]);
    const unknown = meshOf({ ben: { why: "its name is not known there" } }, open);
    expect(await checkAnnounced(announced, unknown, queries)).toMatchObject([
      { level: "note", text: expect.stringContaining("(ben: its name is not known there)") },
    ]);
  });
});

describe("clocks", () => {
  /** ann's core, which heard of each clock how far it is ahead of its own. */
  const coreWith = (ahead: Readonly<Record<string, number>>) =>
    ({
      desk: {
        config: { self: fakePeer("ann") },
        members: { all: () => ["ann", ...Object.keys(ahead)].map((name) => ({ peer: fakePeer(name) })) },
        peers: { clockReadMs: (peer: PeerId) => ahead[queries.nameOf(peer)] },
        status: () => "alive",
      },
    }) as unknown as Core;
  const look = (ahead: Readonly<Record<string, number>>) =>
    checkClocks(coreWith(ahead), queries).map(({ level, text }) => `${level}: ${text}`);
  const hourMs = 3_600_000;

  test("agree, or differ a little", () => {
    expect(look({ ben: 20, cat: -90 })).toEqual(["ok: those of 3 members agree"]);
    expect(look({ ben: 20, cat: -9_000 })).toEqual(["ok: those of 3 members differ by up to 9 s"]);
    expect(look({})).toEqual(["ok: no other member's clock is heard"]);
  });

  test("the one that is wrong is named: the other, or this one where all others agree", () => {
    expect(look({ ben: 20, cat: -2 * hourMs })).toEqual(["bad: that of cat is 2 h behind this one"]);
    expect(look({ ben: 72 * hourMs })).toEqual(["bad: that of ben is 3 days ahead of this one"]);
    expect(look({ ben: 72 * hourMs, cat: 72 * hourMs + 40 })).toEqual([
      "bad: this one is 3 days behind 2 others, which agree: ben, cat",
    ]);
  });
});

test("who runs the daemon shows in what it was started with", () => {
  expect(checkService({ INVOCATION_ID: "a", NOTIFY_SOCKET: "/run/s" })).toMatchObject({ level: "ok" });
  expect(checkService({ RC_SVCNAME: "swarmd" })).toMatchObject({ level: "ok" });
  expect(checkService({ INVOCATION_ID: "a" })).toMatchObject({
    level: "note",
    remedy: "swarmd service install",
  });
});

test("whoever says much that is refused is named, with how much and what may be done; a few are nothing", () => {
  const tally = [
    { peer: fakePeer("dan"), count: 312 },
    { peer: fakePeer("ben"), count: 9 },
  ];
  expect(checkMisdeeds(tally, queries)).toMatchObject([
    {
      check: "messages",
      level: "note",
      text: "312 of dan were refused since this daemon started",
      remedy: expect.stringContaining("swarmd member revoke dan"),
    },
  ]);
});
