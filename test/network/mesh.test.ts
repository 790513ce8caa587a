/** The real network, in one process on loopback. */
import { readFile, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { version } from "../../node/version.ts";
import { hashOf } from "../../protocol/kernel/digest.ts";
import { networkContract } from "../contract/network.ts";
import { gossipReachesAll, TestSwarm, until } from "./swarm.ts";

networkContract("the mesh", async () => {
  const swarm = new TestSwarm();
  const [a, b] = await swarm.pair();
  const probe = (from: typeof a, to: typeof a) => {
    const message = Buffer.from(`probe of ${from.peer} ${from.gossiped.length} ${Math.random()}`);
    from.mesh.gossip(message);
    return to.gossiped.length > 0;
  };
  await until(() => probe(a, b) && probe(b, a));
  a.gossiped.length = b.gossiped.length = 0;
  const end = (member: typeof a) => ({ network: member.mesh, ...member });
  return {
    a: end(a),
    b: end(b),
    settle: until,
    cut() {
      a.members.delete(b.peer);
      a.mesh.membersChanged();
    },
    heal() {
      a.members.add(b.peer);
      a.mesh.membersChanged();
    },
    stop: () => swarm.stop(),
  };
});

/** Of this machine, and used by nobody else: whoever lets go of a port there finds it free again. */
const apart = { listen: ["/ip4/127.0.0.2/tcp/0"] };

describe("the mesh", () => {
  let swarm: TestSwarm;
  beforeEach(() => {
    swarm = new TestSwarm();
  });
  afterEach(async () => await swarm.stop());

  it("connects every member to every other, and gossip of each reaches all", async () => {
    const members = await Promise.all([..."abcde"].map((name) => swarm.start(name)));
    for (const from of members) for (const to of members) if (from !== to) swarm.introduce(from, to);
    await gossipReachesAll(members);
    for (const m of members) expect(m.links.filter(({ kind }) => kind === "disconnected")).toEqual([]);
  });

  it("knows which version a member runs that it has met, also when that one is away", async () => {
    const [a, b] = await swarm.pair();
    await until(() => a.mesh.versionOf(b.peer) === version && b.mesh.versionOf(a.peer) === version);
    await swarm.end(a);
    await until(() => b.connected().length === 0);
    expect(b.mesh.versionOf(a.peer)).toBe(version);
  });

  it("finds through one member all that it knows, as soon as they are admitted", async () => {
    const [a, b] = await swarm.pair();
    const c = await swarm.start("c", { members: [a.peer] });
    swarm.introduce(c, a);
    await until(() => c.mesh.addressesOf(b.peer).length > 0);
    expect(c.connected()).not.toContain(b.peer);
    c.members.add(b.peer);
    c.mesh.membersChanged();
    await until(() => c.connected().includes(b.peer) && b.connected().includes(c.peer));
  });

  it("finds the others again by its peer book, on either side's own word", async () => {
    const [a, b] = await swarm.pair(apart);
    const listen = a.mesh.addresses().map((address) => address.replace(/\/p2p\/.*/, ""));
    await until(() => b.mesh.addressesOf(a.peer).length > 0 && a.mesh.addressesOf(b.peer).length > 0);
    await swarm.end(a);
    await until(() => b.connected().length === 0);
    const again = await swarm.start("a", { listen, members: [b.peer] });
    await until(() => again.connected().includes(b.peer) && b.connected().includes(a.peer));
  });

  it("is redialled by the others when its own book is lost", async () => {
    const [a, b] = await swarm.pair(apart);
    const listen = a.mesh.addresses().map((address) => address.replace(/\/p2p\/.*/, ""));
    await until(() => b.mesh.addressesOf(a.peer).length > 0);
    await swarm.end(a);
    await until(() => b.connected().length === 0);
    const bookFile = await swarm.file("another.json");
    const again = await swarm.start("a", { listen, members: [b.peer], bookFile });
    await until(() => again.connected().includes(b.peer) && b.connected().includes(a.peer));
  });

  it("learns the listening address of who dialled it, and keeps it on disk", async () => {
    const [a, b] = await swarm.pair();
    const own = a.mesh.addresses().map((address) => address.replace(/\/p2p\/.*/, ""));
    await until(() => b.mesh.addressesOf(a.peer).includes(own[0]!));
    await swarm.end(b);
    const book = JSON.parse(await readFile(await swarm.file("b.json"), "utf8"));
    expect(book.peers[a.peer]).toEqual(own);
  });

  it("starts with a damaged peer book, and sets it aside", async () => {
    const bookFile = await swarm.file("a.json");
    await writeFile(bookFile, '{"version":1,"peers":{');
    await swarm.start("a", { bookFile });
    expect(await readFile(`${bookFile}.damaged`, "utf8")).toBe('{"version":1,"peers":{');
  });

  it("refuses a port that is taken", async () => {
    const a = await swarm.start("a");
    const listen = a.mesh.addresses().map((address) => address.replace(/\/p2p\/.*/, ""));
    await expect(swarm.start("b", { listen })).rejects.toMatchObject({ code: "address-in-use" });
  });

  it("ends the connections of a peer that is no member any more, and drops what it still says", async () => {
    const [a, b] = await swarm.pair();
    a.members.delete(b.peer);
    b.mesh.send(a.peer, Buffer.from("too late"));
    a.mesh.membersChanged();
    await until(() => a.connected().length === 0 && b.connected().length === 0);
    expect(a.received).toEqual([]);
  });

  it("finds who provides a blob", async () => {
    const [a, b] = await swarm.pair();
    const digest = a.store(Buffer.from("a build root"));
    const signal = AbortSignal.timeout(100_000);
    // Nobody is told when a routing table has filled, nor does a provider record come with an answer: ask until it is there.
    const eventually = async <T>(ask: () => Promise<T | undefined>): Promise<T> => {
      for (;;) {
        const answer = await ask().catch((error) => {
          if (signal.aborted) throw error;
          return undefined;
        });
        if (answer !== undefined) return answer;
        signal.throwIfAborted();
        await new Promise(setImmediate);
      }
    };
    await eventually(async () => {
      await a.mesh.locator.provide(digest, signal);
      return true;
    });
    const found = await eventually(async () => {
      for await (const peer of b.mesh.locator.holders(hashOf(digest), signal)) return peer;
      return undefined;
    });
    expect(found).toBe(a.peer);
  });
});
