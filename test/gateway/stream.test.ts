import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TimelineLine, TimelineRequest } from "../../node/control/account.ts";
import { type Gateway, openGateway } from "../../node/gateway/gateway.ts";
import { MemoryControl } from "../control/memory.ts";

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
async function listen(lastId?: string) {
  const over = new AbortController();
  const headers = lastId === undefined ? {} : { "last-event-id": lastId };
  const answer = await fetch(`${gateway.url}/api/v1/stream`, { headers, signal: over.signal });
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

describe("the stream of events", () => {
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
