/** Starts helpers in a process that can open nothing more, and says that it lives on. Its standard output is read by descriptors.test.ts. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { Awake } from "../../node/awake.ts";
import { decompressed } from "../../node/build/decompress.ts";
import { startLauncher } from "../../node/build/launcher.ts";
import { clearGroup } from "../../node/build/processes.ts";
import { startWarden } from "../../node/build/warden.ts";
import { Gpg } from "../../node/release/formats/gpg.ts";

const source = Readable.from([]);
const left = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
const starts: readonly (() => unknown)[] = [
  () => startLauncher({}, ["/bin/true"], "", () => {}),
  () => startWarden("/nowhere", {}),
  () => new Gpg("/nowhere").judge(new Uint8Array()),
  () => decompressed(source, "xz"),
  () => clearGroup({ pid: left.pid! }),
  () => new Awake(() => {}).look(1, 0),
];
const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // that is all
}
let refused = 0;
for (const start of starts)
  try {
    await start();
  } catch {
    refused++;
  }
for (let turns = 0; turns < 3; turns++) await turn();
for (const fd of taken) closeSync(fd);
console.log(`lives on; refused: ${refused}`);
process.exit(0);
