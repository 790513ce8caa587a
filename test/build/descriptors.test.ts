import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("a process that can open no more files lives on, and is told what cannot be started", async () => {
  const program = path.join(import.meta.dirname, "without-descriptors.ts");
  const limited = 'ulimit -n 128; exec "$0" "$1"';
  const { stdout } = await promisify(execFile)("/bin/sh", ["-c", limited, process.execPath, program]);
  expect(stdout).toBe("lives on; refused: 4\n");
});
