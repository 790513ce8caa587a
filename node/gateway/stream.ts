/**
 * What happens, as it happens, to any number of clients: server-sent events. One follower of the timeline feeds them all; who comes
 * back within the kept events goes on where it was, and who reads too slowly is told to begin anew.
 */
import { randomBytes } from "node:crypto";
import type { Views } from "./views.ts";

const clientsMax = 256;
const keptMax = 2048;
/** Of what a client has not read. */
const unreadBytesMax = 1 << 20;
const beatMs = 15_000;
const encoder = new TextEncoder();

interface Sent {
  readonly number: number;
  readonly bytes: Uint8Array;
}

export class Stream {
  private readonly views: Views;
  /** Of this process: numbers of another mean nothing here. */
  private readonly epoch = randomBytes(6).toString("base64url");
  private readonly over = new AbortController();
  private readonly clients = new Set<Client>();
  private readonly kept: Sent[] = [];
  private number = 0;
  private following = false;
  private beat: NodeJS.Timeout | undefined;

  constructor(views: Views) {
    this.views = views;
  }

  /** Events from now on, or from behind the one with this id; `resync` comes first where some in between are not kept. */
  answer(lastId: string | undefined, signal: AbortSignal): Response {
    if (this.clients.size >= clientsMax || this.over.signal.aborted)
      return Response.json(
        {
          error: {
            code: "refused",
            message: `${clientsMax} listen already`,
            remedy: "try again in a minute, or ask another node",
          },
        },
        { status: 503, headers: { "Retry-After": "60" } },
      );
    void this.follow();
    const client = new Client(() => this.left(client));
    this.clients.add(client);
    signal.addEventListener("abort", () => client.end(), { once: true });
    this.beat ??= setInterval(() => this.toAll(encoder.encode(": beat\n\n")), beatMs).unref();
    client.put(encoder.encode("retry: 2000\n\n"));
    const after = this.numberOf(lastId);
    if (lastId !== undefined && (after === undefined || after < this.number - this.kept.length))
      client.put(this.resync());
    else if (after !== undefined)
      for (const { number, bytes } of this.kept) if (number > after) client.put(bytes);
    return new Response(client.readable, {
      headers: { "Content-Type": "text/event-stream", "X-Accel-Buffering": "no" },
    });
  }

  close(): void {
    this.over.abort();
    clearInterval(this.beat);
    for (const client of [...this.clients]) client.end();
  }

  private async follow(): Promise<void> {
    if (this.following) return;
    this.following = true;
    try {
      for await (const line of this.views.timeline({ follow: true, limit: 1 }, this.over.signal)) {
        const number = ++this.number;
        const text = `id: ${this.epoch}-${number}\nevent: ${line.family}\ndata: ${JSON.stringify(line)}\n\n`;
        const bytes = encoder.encode(text);
        this.kept.push({ number, bytes });
        if (this.kept.length > keptMax) this.kept.shift();
        this.toAll(bytes);
      }
    } catch {
      // it begins again with the next who listens
    } finally {
      this.following = false;
    }
  }

  private toAll(bytes: Uint8Array): void {
    for (const client of [...this.clients])
      if (client.unreadBytes + bytes.length <= unreadBytesMax) client.put(bytes);
      else {
        client.drop(this.resync());
        this.left(client);
      }
  }

  private left(client: Client): void {
    this.clients.delete(client);
    if (this.clients.size > 0) return;
    clearInterval(this.beat);
    this.beat = undefined;
  }

  private numberOf(id: string | undefined): number | undefined {
    const [, epoch, number] = /^([\w-]{8})-(\d{1,15})$/.exec(id ?? "") ?? [];
    return epoch === this.epoch ? Number(number) : undefined;
  }

  private resync(): Uint8Array {
    return encoder.encode(`id: ${this.epoch}-${this.number}\nevent: resync\ndata: {}\n\n`);
  }
}

/** One who listens. */
class Client {
  readonly readable: ReadableStream<Uint8Array>;
  private readonly onEnd: () => void;
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(onEnd: () => void) {
    this.onEnd = onEnd;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.controller = controller;
        },
        cancel: () => {
          this.controller = undefined;
          onEnd();
        },
      },
      { highWaterMark: unreadBytesMax, size: (bytes) => bytes.length },
    );
  }

  get unreadBytes(): number {
    return unreadBytesMax - (this.controller?.desiredSize ?? unreadBytesMax);
  }

  put(bytes: Uint8Array): void {
    this.controller?.enqueue(bytes);
  }

  /** Its last words; what it has not read comes before them. */
  drop(bytes: Uint8Array): void {
    this.put(bytes);
    this.end();
  }

  end(): void {
    this.controller?.close();
    this.controller = undefined;
    this.onEnd();
  }
}
