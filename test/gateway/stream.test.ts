import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TimelineLine, TimelineRequest } from "../../node/control/account.ts";
import type { WireLine, WireRequest } from "../../node/control/data.ts";
import { type Gateway, openGateway } from "../../node/gateway/gateway.ts";
import { messagesOf } from "../../node/gateway/sources.ts";
import { Stream } from "../../node/gateway/stream.ts";
import { WireLog } from "../../node/wire-log.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { Message } from "../../protocol/swarm/message.ts";
import { plainWire } from "../../protocol/wire.ts";
import { fakePeer } from "../../sim/signer.ts";
import { MemoryControl } from "../control/memory.ts";
import { until } from "../patience.ts";
import { build } from "../work/facts.ts";

/** A timeline that says what it is told to say. */
class Told extends MemoryControl {
  private readonly lines: TimelineLine[] = [];
  private wake = () => {};

  say(text: string): void {
    this.lines.push({ family: "node", kind: "node.up", text } as TimelineLine);
    this.wake();
  }

  override async *timeline(_: TimelineRequest, signal: AbortSignal): AsyncIterable<TimelineLine> {
    signal.addEventListener("abort", () => this.wake());
    while (!signal.aborted) {
      yield* this.lines.splice(0);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        if (this.lines.length > 0) resolve();
      });
    }
  }
}

interface Event {
  readonly id: string;
  readonly event: string;
  readonly text?: string;
}

let views: Told;
let gateway: Gateway;
beforeEach(async () => {
  views = new Told();
  gateway = await openGateway({ listen: "127.0.0.1:0", hosts: [], views, onFault: () => {} });
});
afterEach(() => gateway.close());

/** Events of one connection, one at a time. */
async function listen(lastId?: string, path = "/api/v1/stream") {
  const over = new AbortController();
  const headers = lastId === undefined ? {} : { "last-event-id": lastId };
  const answer = await fetch(`${gateway.url}${path}`, { headers, signal: over.signal });
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const next = async (): Promise<Event> => {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end < 0) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream has ended");
        text += value;
        continue;
      }
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      if (field("id") === undefined) continue;
      const data = JSON.parse(field("data")!) as { text?: string };
      return { id: field("id")!, event: field("event")!, ...(data.text ? { text: data.text } : {}) };
    }
  };
  return { next, end: () => over.abort() };
}

/** A timeline whose reader falls behind once. */
class Behind extends MemoryControl {
  private times = 0;

  override async *timeline(): AsyncIterable<TimelineLine> {
    yield { family: "node", kind: "node.up", text: `reading ${++this.times}` } as TimelineLine;
    if (this.times === 1)
      throw new SwarmError("timed-out", "more was said than was read", { remedy: "follow it again" });
    await new Promise(() => {});
  }
}

describe("the stream of events", () => {
  test("that breaks off sends who listens away, to come back and begin anew", async () => {
    await gateway.close();
    gateway = await openGateway({ listen: "127.0.0.1:0", hosts: [], views: new Behind(), onFault: () => {} });
    const first = await listen();
    expect((await first.next()).text).toBe("reading 1");
    const last = await first.next();
    expect(last.event).toBe("resync");
    await expect(first.next()).rejects.toThrow("the stream has ended");
    const again = await listen(last.id);
    expect((await again.next()).text).toBe("reading 2");
    again.end();
  });

  test("says what happens to all who listen", async () => {
    const clients = await Promise.all([listen(), listen()]);
    views.say("one");
    views.say("two");
    for (const { next, end } of clients) {
      expect([(await next()).text, (await next()).text]).toEqual(["one", "two"]);
      end();
    }
  });

  test("goes on behind the last event that a client had", async () => {
    const first = await listen();
    views.say("one");
    const { id } = await first.next();
    const other = await listen();
    first.end();
    views.say("two");
    views.say("three");
    expect((await other.next()).text).toBe("two");
    const again = await listen(id);
    expect([(await again.next()).text, (await again.next()).text]).toEqual(["two", "three"]);
    other.end();
    again.end();
  });

  test("tells to begin anew who was away too long, or on another start of the daemon", async () => {
    const lost = await listen("other123-7");
    expect((await lost.next()).event).toBe("resync");
    const keeper = await listen();
    views.say("first");
    const { id } = await keeper.next();
    for (let i = 0; i < 2100; i++) views.say(`${i}`);
    for (let i = 0; i < 2100; i++) await keeper.next();
    const late = await listen(id);
    expect((await late.next()).event).toBe("resync");
    for (const { end } of [lost, keeper, late]) end();
  });

  test("drops who does not read, and goes on for the others", async () => {
    const { hostname, port } = new URL(gateway.url);
    const idle = connect(Number(port), hostname);
    idle.write("GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    await once(idle, "readable");
    const reader = await listen();
    const text = "x".repeat(60_000);
    let last: Event | undefined;
    for (let i = 0; i < 400; i++) {
      views.say(text);
      last = await reader.next();
    }
    expect(last?.text).toBe(text);
    let said = "";
    idle.setEncoding("latin1").on("data", (more: string) => {
      said = (said + more).slice(-2000);
    });
    await once(idle, "end");
    expect(said).toContain("event: resync");
    reader.end();
    idle.destroy();
  });

  test("has room for so many and no more", async () => {
    const clients = await Promise.all(Array.from({ length: 256 }, () => listen()));
    const refused = await fetch(`${gateway.url}/api/v1/stream`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("60");
    for (const { end } of clients) end();
  });
});

describe("the stream of messages", () => {
  const [ann, ben] = [fakePeer("ann"), fakePeer("ben")];
  const names = (peer: PeerId) => (peer === ann ? "ann" : "ben");

  /** A log of messages, read as the daemon reads it. */
  class Wired extends Told {
    readonly log = new WireLog();
    private readonly bare = this.log.wire(plainWire());
    private readonly network = this.log.network({ send: () => true, gossip: () => {} });
    following = 0;

    send(to: PeerId, kind: "want" | "held"): void {
      const message: Message = kind === "want" ? { kind, build } : { kind, id: "1", missing: [] };
      this.network.send(to, this.bare.encodeMessage(message));
    }

    override async *wire({ peer, ...request }: WireRequest, signal: AbortSignal): AsyncIterable<WireLine> {
      if (peer !== undefined && peer !== "ann" && peer !== "ben")
        throw new SwarmError("not-found", `there is no node ${peer}`);
      if (request.follow) this.following++;
      try {
        yield* this.log.lines(request, signal, names);
      } finally {
        if (request.follow) this.following--;
      }
    }
  }
  let wired: Wired;
  beforeEach(async () => {
    await gateway.close();
    wired = new Wired();
    gateway = await openGateway({ listen: "127.0.0.1:0", hosts: [], views: wired, onFault: () => {} });
  });
  const path = "/api/v1/wire/stream";

  test("says what is sent and got to all who listen, and to each what it asked for", async () => {
    const all = await listen(undefined, path);
    const some = await listen(undefined, `${path}?kind=held&peer=ben`);
    wired.send(ben, "want");
    wired.send(ann, "held");
    wired.send(ben, "held");
    expect([(await all.next()).event, (await all.next()).event]).toEqual(["want", "held"]);
    const { id, event } = await some.next();
    expect([event, id]).toEqual(["held", (await all.next()).id]);
    all.end();
    wired.send(ben, "held");
    const again = await listen(id, `${path}?kind=held`);
    expect((await again.next()).event).toBe("held");
    for (const { end } of [some, again]) end();
  });

  test("refuses kinds and nodes that there are none of, before it begins", async () => {
    for (const [query, status] of [
      ["kind=zz", 400],
      ["peer=zz", 404],
      ["knid=held", 400],
    ] as const) {
      const answer = await fetch(`${gateway.url}${path}?${query}`);
      expect([query, answer.status]).toEqual([query, status]);
      expect(((await answer.json()) as { error: { remedy: string } }).error.remedy).toBeTruthy();
    }
    expect(wired.following).toBe(0);
  });

  test("is followed no longer once nobody has listened for a while, and begins anew then", async () => {
    const stream = new Stream({ ...messagesOf(wired), restMs: 1 });
    const server = createServer((request, response) => void stream.serve(request, response)).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const open = async (lastId = "") => {
      const over = new AbortController();
      const answer = await fetch(`http://127.0.0.1:${port}/`, {
        headers: lastId === "" ? {} : { "last-event-id": lastId },
        signal: over.signal,
      });
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      const until = async (what: RegExp): Promise<string> => {
        for (;;) {
          const [, found] = what.exec(text) ?? [];
          if (found !== undefined) return found;
          const { value, done } = await reader.read();
          if (done) throw new Error("the stream has ended");
          text += value;
        }
      };
      return { until, end: () => over.abort() };
    };
    const first = await open();
    wired.send(ben, "want");
    const id = await first.until(/id: (\S+)\nevent: want/);
    expect(wired.following).toBe(1);
    first.end();
    await until(() => wired.following === 0, "it rests");
    const late = await open(id);
    await late.until(/(event: resync)/);
    wired.send(ben, "held");
    await late.until(/(event: held)/);
    late.end();
    stream.close();
    server.close();
  });
});
