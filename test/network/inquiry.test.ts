import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestSwarm, until } from "./swarm.ts";

describe("inquiries", () => {
  let swarm: TestSwarm;
  beforeEach(() => {
    swarm = new TestSwarm();
  });
  afterEach(async () => await swarm.stop());

  /** a and c have no addresses of each other; b is connected to both. */
  async function row() {
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => swarm.start(name)));
    swarm.introduce(a!, b!);
    swarm.introduce(c!, b!);
    await until(() => [a!, b!, c!].map((one) => one.connected().length).join() === "1,2,1");
    return [a!, b!, c!] as const;
  }

  it("a member says whom it reaches, how far that is and who dialled", async () => {
    const [a, b] = await swarm.pair();
    const [way] = await a.mesh.ways();
    expect(way).toMatchObject({ peer: b.peer, latencyMs: expect.any(Number) });
    const { answer, via } = await a.mesh.inquire(b.peer, { kind: "reach" });
    expect(via).toBeUndefined();
    expect(answer.ways).toMatchObject([{ peer: a.peer, latencyMs: expect.any(Number) }]);
    expect(new Set([way!.direction, answer.ways[0]!.direction])).toEqual(new Set(["inbound", "outbound"]));
  });

  it("one that is not connected is asked through one that is; of nobody at all that is said", async () => {
    const [a, b, c] = await row();
    const { answer, via } = await a.mesh.inquire(c.peer, { kind: "health" });
    expect(via).toBe(b.peer);
    expect(answer.findings).toEqual([{ check: "name", level: "ok", text: "c" }]);
    await swarm.end(c);
    await until(() => b.connected().length === 1);
    await expect(a.mesh.inquire(c.peer, { kind: "health" })).rejects.toMatchObject({
      code: "peer-unreachable",
    });
  });

  it("a member dials back at the addresses it is given, and says of each what came of it", async () => {
    const [a, b] = await swarm.pair();
    const addresses = [...a.mesh.addresses(), "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/4701", "nonsense"];
    const { answer } = await a.mesh.inquire(b.peer, { kind: "dial", addresses });
    expect(answer.tries.map(({ latencyMs }) => latencyMs !== undefined)).toEqual([true, false, false, false]);
    expect(answer.tries.map(({ why }) => why)).toEqual([
      undefined,
      expect.stringContaining("refused"),
      expect.stringContaining("no TCP address"),
      expect.stringContaining("no TCP address"),
    ]);
  });

  it("who says that it has moved is known at its new addresses, before the old", async () => {
    const [a, b] = await swarm.pair();
    await until(() => b.mesh.addressesOf(a.peer).length > 0);
    const before = b.mesh.addressesOf(a.peer);
    const addresses = ["/ip4/192.0.2.7/tcp/4701", "/ip4/192.0.2.7/udp/4701", "/ip4/127.0.0.1/tcp/9"];
    await a.mesh.inquire(b.peer, { kind: "moved", addresses });
    expect(b.mesh.addressesOf(a.peer)).toEqual([
      "/ip4/127.0.0.1/tcp/9",
      "/ip4/192.0.2.7/tcp/4701",
      ...before,
    ]);
  });
});
