/**
 * Writes down what a node's core lives through, in stretches that each begin with the saved core: bounded on the disk, in memory and in time. Losing some of
 * it costs nothing but that stretch.
 */
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { Effect, Input, Instant } from "../protocol/contract.ts";
import { TapeFrame } from "../protocol/explain/tape.ts";
import { encode } from "../protocol/kernel/codec.ts";
import type { Gossip, Message } from "../protocol/swarm/message.ts";
import type { Wire } from "../protocol/wire.ts";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import { type Stretch, stretchSuffix } from "./recordings.ts";

const compress = promisify(zstdCompress);

/** Of all stretches, where the owner says nothing. */
const bytesMaxUsual = 256 << 20;
/** What is gathered goes to the disk after so long, or once it is so much. */
const flushMs = 1000;
const flushBytes = 256 << 10;
/** A frame that takes more memory than that is not kept for the next. */
const spareBytesMax = 1 << 20;
/** While there is nothing in it but what goes on in a calm, it may wait longer: each write wakes the disk. */
const quietMs = 30_000;
/** A stretch takes in so many bytes of inputs, or so many times its saved core, before the next begins. */
const stretchBytesMin = 4 << 20;
const coreTimes = 4;
/** What waits for a disk that is too slow; beyond it the stretch is given up. */
const waitingBytesMax = 16 << 20;
/** Room is made each time that so much was written. */
const roomBytes = 1 << 20;
/** A stretch that was given up is followed by the next after so long. */
const againMs = 60_000;

export interface RecorderOptions {
  /** Where the stretches lie. */
  readonly dir: string;
  /** Of all stretches together; the oldest go. */
  readonly bytesMax: number;
  /** Saved whole at the begin of each stretch. */
  readonly core: { save(): Uint8Array };
  readonly stretch: Omit<Stretch, "v" | "atMs" | "core">;
  readonly log: Pick<Log, "warn">;
}

/** A recorder as the owner wants one; undefined where nothing is to be recorded. */
export function recorderOf(
  { recordingBytesMax, small }: Pick<Config, "recordingBytesMax" | "small">,
  options: Omit<RecorderOptions, "bytesMax">,
): Recorder | undefined {
  const bytesMax = recordingBytesMax ?? (small ? 0 : bytesMaxUsual);
  return bytesMax === 0 ? undefined : new Recorder({ ...options, bytesMax });
}

/** Beats, readings and looks at the clock go on whether anything happens or not. */
const isQuiet = (input: Input): boolean =>
  input.kind === "tick" ||
  input.kind === "sensed" ||
  (input.kind === "gossip" && input.message.kind === "vitals");

export class Recorder {
  private readonly options: RecorderOptions;
  private readonly raw = new WeakMap<object, Uint8Array>();
  /** What is gathered. */
  private frame = new TapeFrame();
  /** Empty, for what comes while the other is made smaller. */
  private spare: TapeFrame | undefined;
  /** More was gathered than what goes on in a calm. */
  private stirred = false;
  /** Wall time of the last step. */
  private atMs = 0;
  /** Of the stretch so far, before it is made smaller. */
  private stretchBytes = 0;
  private stretchBytesMax = stretchBytesMin;
  private file: string | undefined;
  /** Where a frame may lie in part: nothing is to stand behind that. */
  private torn: string | undefined;
  private count = 0;
  private timer: NodeJS.Timeout | undefined;
  private waitingBytes = 0;
  private writing: Promise<void> = Promise.resolve();
  /** Since room was made. */
  private writtenBytes = roomBytes;
  private warned = false;
  private closed = false;

  constructor(options: RecorderOptions) {
    this.options = options;
  }

  /** A wire that remembers the bytes of what it read for as long as that lives. */
  wire(wire: Wire): Wire {
    const remember = <T extends Message | Gossip>(read: T, bytes: Uint8Array): T => {
      this.raw.set(read, bytes);
      return read;
    };
    return {
      ...wire,
      readMessage: (bytes) => remember(wire.readMessage(bytes), bytes),
      readGossip: (bytes, signer) => remember(wire.readGossip(bytes, signer), bytes),
    };
  }

  /** The core is as it will go on from: the first stretch begins. Between steps only. */
  begin(atMs: number): void {
    const { dir, core, stretch } = this.options;
    const saved = core.save();
    const head = encode({ v: 1, ...stretch, atMs, core: saved });
    const name = `${stretch.inc}-${String(++this.count).padStart(6, "0")}${stretchSuffix}`;
    this.file = path.join(dir, name);
    this.stretchBytes = 0;
    this.stretchBytesMax = Math.max(stretchBytesMin, coreTimes * saved.length);
    this.frame.clear();
    this.put(head);
  }

  /** A step was made. */
  stepped(input: Input, now: Instant, effects: readonly Effect[]): void {
    if (this.file === undefined || this.closed) return;
    const message = input.kind === "message" || input.kind === "gossip" ? input.message : undefined;
    try {
      this.stretchBytes += this.frame.add(input, now, effects, message && this.raw.get(message));
    } catch (error) {
      // What cannot be kept must not keep the node from working.
      return this.giveUp(`${input.kind}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (this.frame.length >= flushBytes) this.flush();
    this.atMs = now.wallMs;
    if (!this.stirred && !isQuiet(input)) {
      this.stirred = true;
      clearTimeout(this.timer);
      this.timer = undefined;
    }
    this.timer ??= setTimeout(() => this.look(), this.stirred ? flushMs : quietMs).unref();
  }

  /** Ends once all is on the disk. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    this.flush();
    await this.writing;
  }

  private look(): void {
    this.timer = undefined;
    this.stirred = false;
    if (this.closed) return;
    this.flush();
    if (this.stretchBytes >= this.stretchBytesMax) this.begin(this.atMs);
  }

  private flush(): void {
    if (this.frame.steps === 0 || this.file === undefined) return;
    const full = this.frame;
    this.frame = this.spare ?? new TapeFrame();
    this.spare = undefined;
    this.put(full.taken(), () => {
      full.clear();
      if (full.room <= spareBytesMax) this.spare = full;
    });
  }

  /** A frame of the stretch: its length, then its bytes made smaller. `done`: they are not read any more. */
  private put(bytes: Uint8Array, done?: () => void): void {
    const { file } = this;
    if (this.waitingBytes > waitingBytesMax) return this.giveUp("the disk is too slow");
    this.waitingBytes += bytes.length;
    this.writing = this.writing
      .then(async () => {
        const small = await compress(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
        done?.();
        if (file === this.torn) return;
        const length = Buffer.alloc(4);
        length.writeUInt32BE(small.length);
        await this.append(file!, Buffer.concat([length, small]));
        this.writtenBytes += small.length;
        if (this.writtenBytes < roomBytes) return;
        this.writtenBytes = 0;
        await this.makeRoom();
      })
      .catch((error: unknown) => this.giveUp(error instanceof Error ? error.message : String(error)))
      .finally(() => {
        this.waitingBytes -= bytes.length;
      });
  }

  /** All of it, or nothing comes after it. */
  private async append(file: string, bytes: Buffer): Promise<void> {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, "a", 0o600);
    const { size } = await handle.stat();
    try {
      // A disk that fills takes a part of it, and says nothing.
      for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
    } catch (error) {
      this.torn = file;
      // Without its head nothing can be read of it.
      if (size === 0) await rm(file, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  }

  private giveUp(why: string): void {
    if (!this.warned) this.options.log.warn({ why }, "this node's inputs are not recorded for a while");
    this.warned = true;
    this.file = undefined;
    this.frame.clear();
    if (this.closed) return;
    setTimeout(() => {
      if (!this.closed && this.file === undefined) this.begin(Date.now());
    }, againMs).unref();
  }

  /** The oldest stretches go, never the one that is being written. */
  private async makeRoom(): Promise<void> {
    const { dir, bytesMax } = this.options;
    const names = (await readdir(dir)).filter((name) => name.endsWith(stretchSuffix));
    const files = await Promise.all(
      names.map(async (name) => ({ file: path.join(dir, name), ...(await stat(path.join(dir, name))) })),
    );
    files.sort((a, b) => b.mtimeMs - a.mtimeMs);
    let sum = 0;
    for (const { file, size } of files) {
      sum += size;
      if (sum > bytesMax && file !== this.file) await rm(file, { force: true });
    }
  }
}
