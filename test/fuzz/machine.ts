/** How slow the machine is just now: a fixed job of hashing and parsing, against what it takes on the machine the bounds were set on. */
import { createHash } from "node:crypto";

/** CPU time of one job on that machine with nothing else on it. */
const referenceMs = 10;
const bytes = new Uint8Array(1 << 20).fill(7);
const names = Array.from({ length: 6000 }, (_, i) => `{"name":"n${i}","list":[${i},0.5,null,"\\u0041"]}`);
const text = `[${names.join(",")}]`;
const pattern = /^n[0-9]{1,5}$/;

/** One and more: what takes 50 ms there takes so many times as long here. The same job each time, so what it says is of the machine. */
export function slowness(): number {
  const from = process.cpuUsage();
  for (let i = 0; i < 3; i++) job();
  return Math.max(1, cpuMsSince(from) / referenceMs);
}

/** CPU time of this process since `from`, milliseconds. */
export function cpuMsSince(from: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1000;
}

function job(): void {
  createHash("sha256").update(bytes).digest();
  const met = new Map<string, number>();
  for (const { name, list } of JSON.parse(text) as { name: string; list: unknown[] }[])
    if (pattern.test(name)) met.set(`${name}/${list.length}`, met.size);
  if (met.size !== names.length) throw new Error("the fixed job went wrong");
}

// What runs for the first time is slow anywhere.
for (let i = 0; i < 5; i++) job();
