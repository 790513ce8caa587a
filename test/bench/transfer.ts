/** How fast a large artifact moves between two daemons, and what they keep in memory meanwhile, beside a bare socket with the same duties. */

import { execFile } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { once } from "node:events";
import { createReadStream, readFileSync } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import net from "node:net";
import { promisify } from "node:util";
import { controlClient } from "../../node/control/client.ts";
import { placesOf } from "../../node/home-places.ts";
import { digestFrom, sizeOf } from "../../protocol/kernel/digest.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";

const run = promisify(execFile);
const chunkBytes = 1 << 20;

export interface Transfer {
  readonly megabytesPerSecond: number;
  /** Of both daemons, highest while it ran. */
  readonly residentMiB: number;
  /** What it cost each of them. */
  readonly giverCpuSeconds: number;
  readonly takerCpuSeconds: number;
}

/** Random bytes that no file system can store in less. */
export async function makeBlob(file: string, sizeBytes: number): Promise<Digest> {
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(chunkBytes);
  const handle = await open(file, "w");
  for (let at = 0; at < sizeBytes; at += chunkBytes) {
    randomFillSync(chunk);
    hash.update(chunk);
    await handle.write(chunk);
  }
  await handle.close();
  return digestFrom(hash.digest("hex"), sizeBytes);
}

/** From the disk of one daemon to that of another, verified. */
export async function transfer(
  file: string,
  digest: Digest,
  from: { readonly home: string; readonly pid: number },
  to: { readonly home: string; readonly pid: number },
): Promise<Transfer> {
  const giver = controlClient(placesOf(from.home).controlSocket);
  await giver.putBlob(digest, createReadStream(file, { highWaterMark: chunkBytes }));
  const taker = controlClient(placesOf(to.home).controlSocket);
  let residentMiB = 0;
  const before = [from, to].map(({ pid }) => cpuSecondsOf(pid));
  const startMs = performance.now();
  for await (const _ of taker.bring(digest, new AbortController().signal))
    for (const { pid } of [from, to]) residentMiB = Math.max(residentMiB, residentMiBOf(pid));
  const tookMs = performance.now() - startMs;
  const [giverCpuSeconds, takerCpuSeconds] = [from, to].map(({ pid }, at) => cpuSecondsOf(pid) - before[at]!);
  return {
    megabytesPerSecond: sizeOf(digest) / 1000 / tookMs,
    residentMiB,
    giverCpuSeconds: giverCpuSeconds!,
    takerCpuSeconds: takerCpuSeconds!,
  };
}

/** The same bytes over a bare TCP connection, read from a file, hashed and written to another, in one process with nothing encrypted. */
export async function bareMegabytesPerSecond(file: string): Promise<number> {
  const copy = `${file}.copy`;
  const handle = await open(copy, "w");
  const hash = createHash("sha256");
  const server = net.createServer((socket) =>
    createReadStream(file, { highWaterMark: chunkBytes }).pipe(socket),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const startMs = performance.now();
  const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  let bytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    hash.update(chunk);
    await handle.write(chunk);
    bytes += chunk.length;
  }
  hash.digest();
  const tookMs = performance.now() - startMs;
  await handle.close();
  server.close();
  await rm(copy);
  return bytes / 1000 / tookMs;
}

/** What the disk and the hash alone would allow: `cp` and `sha256sum`, one after the other. */
export async function copyMegabytesPerSecond(file: string): Promise<number> {
  const copy = `${file}.copy`;
  const startMs = performance.now();
  await run("cp", [file, copy]);
  await run("sha256sum", [copy]);
  const tookMs = performance.now() - startMs;
  const { size } = await stat(copy);
  await rm(copy);
  return size / 1000 / tookMs;
}

/** User and system time so far, of all threads; a clock tick of /proc is 10 ms. */
function cpuSecondsOf(pid: number): number {
  const [, after] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))!;
  const fields = after!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const residentMiBOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1024;
