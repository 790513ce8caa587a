/**
 * What happens, as it happens, to any number of clients: server-sent events. One follower of a source feeds them all; who comes
 * back within the kept events goes on where it was, and who reads too slowly is told to begin anew.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { parametersOf } from "./parameters.ts";

const clientsMax = 256;
const keptMax = 2048;
/** Of what a client has not read. */
const unreadBytesMax = 1 << 20;
const beatMs = 15_000;
const encoder = new TextEncoder();

/** What is told, and of what of it a client may ask for. */
export interface Source<T> {
  follow(signal: AbortSignal): AsyncIterable<T>;
  /** The event's name. */
  nameOf(one: T): string;
  /** What may stand in a client's query. Absent: nothing. */
  readonly parameters?: readonly string[];
  /** Which of them a client wants, by its query. Rejects with `SwarmError` what cannot be. Absent: all of them. */
  wanted?(query: Readonly<Record<string, string>>): Promise<(one: T) => boolean>;
  /** It is followed no longer once nobody has listened for so long, and who comes back later begins anew. Absent: it is followed on. */
  readonly restMs?: number;
}

interface Sent<T> {
  readonly number: number;
  readonly one: T;
  readonly bytes: Uint8Array;
}

export class Stream<T> {
  private readonly source: Source<T>;
  /** Of this process: numbers of another mean nothing here. */
  private epoch = newEpoch();
  private readonly over = new AbortController();
  private readonly clients = new Map<Client, (one: T) => boolean>();
  private readonly kept: Sent<T>[] = [];
  private number = 0;
  private following: AbortController | undefined;
  private resting: NodeJS.Timeout | undefined;
  private beat: NodeJS.Timeout | undefined;

  constructor(source: Source<T>) {
    this.source = source;
  }

  /** Events from now on, or from behind the one that the client names; `resync` comes first where some in between are not kept. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "", search] = (request.url ?? "").split("?");
    const query = parametersOf(path, new URLSearchParams(search), this.source.parameters ?? []);
    const wants = this.source.wanted ? await this.source.wanted(query) : () => true;
    if (response.destroyed) return;
    if (this.clients.size >= clientsMax || this.over.signal.aborted) {
      const message = `${clientsMax} listen already`;
      const error = { code: "refused", message, remedy: "try again in a minute, or ask another node" };
      response.writeHead(503, { "Content-Type": "application/json", "Retry-After": "60" });
      return void response.end(JSON.stringify({ error }));
    }
    // Ends with the connection: each event is one write of bytes that all clients share.
    response.removeHeader("Transfer-Encoding");
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache",
      "X-Accel-Buffering": "no",
      Connection: "close",
    });
    if (request.method === "HEAD") return void response.end();
    clearTimeout(this.resting);
    void this.follow();
    const client = new Client(response, () => this.left(client));
    this.clients.set(client, wants);
    this.beat ??= setInterval(() => this.toAll(encoder.encode(": beat\n\n")), beatMs).unref();
    client.put(encoder.encode("retry: 2000\n\n"));
    const lastId = request.headers["last-event-id"]?.toString();
    const after = this.numberOf(lastId);
    if (lastId !== undefined && (after === undefined || after < this.number - this.kept.length))
      client.put(this.resync());
    else if (after !== undefined)
      for (const { number, one, bytes } of this.kept) if (number > after && wants(one)) client.put(bytes);
  }

  close(): void {
    this.over.abort();
    clearInterval(this.beat);
    clearTimeout(this.resting);
    for (const client of [...this.clients.keys()]) client.end();
  }

  private async follow(): Promise<void> {
    if (this.following) return;
    const following = new AbortController();
    this.following = following;
    const signal = AbortSignal.any([this.over.signal, following.signal]);
    try {
      for await (const one of this.source.follow(signal)) {
        if (signal.aborted) break;
        const number = ++this.number;
        const text = `id: ${this.epoch}-${number}\nevent: ${this.source.nameOf(one)}\ndata: ${JSON.stringify(one)}\n\n`;
        const bytes = encoder.encode(text);
        this.kept.push({ number, one, bytes });
        if (this.kept.length > keptMax) this.kept.shift();
        this.toAll(bytes, one);
      }
    } catch {
      // It begins again with the next who listens: nobody may wait for what is followed no more.
      if (!signal.aborted) for (const client of [...this.clients.keys()]) client.drop(this.resync());
    } finally {
      if (this.following === following) this.following = undefined;
    }
  }

  /** Without an event to all, else to those who want it. */
  private toAll(bytes: Uint8Array, one?: T): void {
    for (const [client, wants] of [...this.clients]) {
      if (one !== undefined && !wants(one)) continue;
      if (client.unreadBytes + bytes.length <= unreadBytesMax) client.put(bytes);
      else {
        client.drop(this.resync());
        this.left(client);
      }
    }
  }

  private left(client: Client): void {
    this.clients.delete(client);
    if (this.clients.size > 0) return;
    clearInterval(this.beat);
    this.beat = undefined;
    const { restMs } = this.source;
    clearTimeout(this.resting);
    if (restMs !== undefined && !this.over.signal.aborted)
      this.resting = setTimeout(() => this.rest(), restMs).unref();
  }

  /** What is said from here on nobody keeps: numbers of before mean nothing any more. */
  private rest(): void {
    this.following?.abort();
    this.following = undefined;
    this.kept.length = 0;
    this.epoch = newEpoch();
  }

  private numberOf(id: string | undefined): number | undefined {
    const [, epoch, number] = /^([\w-]{8})-(\d{1,15})$/.exec(id ?? "") ?? [];
    return epoch === this.epoch ? Number(number) : undefined;
  }

  private resync(): Uint8Array {
    return encoder.encode(`id: ${this.epoch}-${this.number}\nevent: resync\ndata: {}\n\n`);
  }
}

const newEpoch = (): string => randomBytes(6).toString("base64url");

/** One who listens. */
class Client {
  private readonly response: ServerResponse;
  private readonly onEnd: () => void;
  private ended = false;

  constructor(response: ServerResponse, onEnd: () => void) {
    this.response = response;
    this.onEnd = onEnd;
    response.once("close", () => this.end());
    response.on("error", () => this.end());
  }

  get unreadBytes(): number {
    return this.response.writableLength;
  }

  put(bytes: Uint8Array): void {
    if (!this.ended) this.response.write(bytes);
  }

  /** Its last words; what it has not read comes before them. */
  drop(bytes: Uint8Array): void {
    this.put(bytes);
    this.end();
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.response.end();
    this.onEnd();
  }
}
