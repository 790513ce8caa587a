/** Live output of running actions, read from the files they write to: nothing is kept in memory, no reader slows an action. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { ActionName, BuildId, ClaimId } from "../../protocol/kernel/ids.ts";
import type { TailChunk, TailRequest, TailSource } from "../ports.ts";
import type { Redactor } from "./redactor.ts";

/** What a reader gets of the past, and how far it may lag, per stream. */
const tailBytesMax = 256 << 10;
const chunkBytesMax = 60 << 10;
const pollMs = 100;

/** One that runs; `dir` holds the files `out` and `err`. The next one may get the same folder. */
export interface TailedAction {
  readonly claim: ClaimId;
  readonly build: BuildId;
  readonly action: ActionName;
  readonly dir: string;
  /** Takes out what nobody may read; one for each stream and reader. */
  readonly redactor?: () => Redactor;
}

const streams = [
  { name: "out", stream: "stdout" },
  { name: "err", stream: "stderr" },
] as const;

/** Tails of what `running` lists at any moment. A reader holds its files open, so it sees their end after the action's. */
export function createTail(running: () => Iterable<TailedAction>): TailSource {
  return {
    async *tail(request: TailRequest, signal: AbortSignal): AsyncIterable<TailChunk> {
      const readers = new Map<string, Reader>();
      try {
        while (!signal.aborted) {
          const live = new Set<string>();
          for (const action of running()) {
            if (request.build !== undefined && request.build !== action.build) continue;
            if (request.action !== undefined && request.action !== action.action) continue;
            for (const { name, stream } of streams) {
              const key = `${action.claim} ${name}`;
              live.add(key);
              if (!readers.has(key)) {
                const about = { build: action.build, action: action.action, stream };
                const reader = openReader(`${action.dir}/${name}`, about, action.redactor?.());
                if (reader) readers.set(key, reader);
              }
            }
          }
          for (const [key, reader] of readers) {
            for (let chunk = reader.next(); chunk; chunk = reader.next()) {
              yield chunk;
              if (signal.aborted) return;
            }
            if (live.has(key)) continue;
            const last = reader.close();
            readers.delete(key);
            if (last) yield last;
          }
          if (!request.follow) return;
          await delay(pollMs, undefined, { signal, ref: false }).catch(() => {});
        }
      } finally {
        for (const reader of readers.values()) reader.close();
      }
    },
  };
}

interface Reader {
  next(): TailChunk | undefined;
  /** What was held back to the end: half a character, or what could have become a secret. */
  close(): TailChunk | undefined;
}

function openReader(
  file: string,
  about: Omit<TailChunk, "text">,
  redactor: Redactor | undefined,
): Reader | undefined {
  let fd: number;
  try {
    // Without a box an action could put a pipe there: opening it must not wait.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    return undefined; // not made yet, or gone already
  }
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(chunkBytesMax);
  let at = 0;
  return {
    next() {
      const size = fstatSync(fd).size;
      // What is redacted is read whole: a value that begins in what is skipped could not be told.
      at = redactor ? Math.min(at, size) : Math.max(Math.min(at, size), size - tailBytesMax);
      const length = readSync(fd, buffer, 0, buffer.length, at);
      if (length === 0) return undefined;
      at += length;
      const read = buffer.subarray(0, length);
      const text = decoder.decode(redactor ? redactor.push(read) : read, { stream: true });
      return { ...about, text };
    },
    close() {
      closeSync(fd);
      const text = decoder.decode(redactor?.end());
      return text === "" ? undefined : { ...about, text };
    },
  };
}
