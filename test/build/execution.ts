/** A home with an executor for tests of execution: requests by shell text, outcomes as promises. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createExecutor, type ExecutorOptions, type LocalExecutor } from "../../node/build/executor.ts";
import { type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import type { InputFile } from "../../protocol/build/graph.ts";
import { buildTree } from "../../protocol/build/reapi.ts";
import type { ExecuteOutcome, ExecuteRequest } from "../../protocol/contract.ts";
import type { ActionName, BuildId, ClaimId, Digest } from "../../protocol/kernel/ids.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {} };

/** Whether bubblewrap works on this machine; tests that need it are skipped, with a line saying so, where it does not. */
export const boxWorks =
  spawnSync("bwrap", ["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "true"]).status === 0;
if (!boxWorks) console.warn("bubblewrap does not work here: tests that need it are skipped");

export interface Execution {
  readonly home: string;
  readonly blobs: DiskBlobs;
  readonly executor: LocalExecutor;
  /** Stores contents and names them as inputs. */
  inputs(contents: Readonly<Record<string, string>>, executable?: boolean): Promise<InputFile[]>;
  /** A request of `sh -c script`; every call has a claim of its own. */
  request(script: string, more?: Partial<ExecuteRequest>): ExecuteRequest;
  run(script: string, more?: Partial<ExecuteRequest>): Promise<ExecuteOutcome>;
  text(digest: Digest | undefined): Promise<string>;
  close(): Promise<void>;
}

export async function openExecution(
  sandbox: "bubblewrap" | "none",
  options: Partial<ExecutorOptions> = {},
): Promise<Execution> {
  const home = await mkdtemp(path.join(tmpdir(), "swarmd it's $HOME-"));
  const blobs = await openBlobStore(path.join(home, "blobs"));
  const dir = path.join(home, "work");
  const executor = await createExecutor({ blobs, dir, slots: 2, sandbox, log: silent, ...options });
  let counter = 0;
  const request: Execution["request"] = (script, more = {}) => {
    const claim = `claim.${counter++}` as ClaimId;
    return {
      claim,
      build: "test-0000000000" as BuildId,
      action: `action/${claim}` as ActionName,
      argv: ["/bin/sh", "-c", script],
      env: {},
      inputRoot: buildTree(more.files ?? []).root,
      files: [],
      outputs: [],
      timeoutMs: 600_000,
      silenceMs: 0,
      toolchains: {},
      ...more,
    };
  };
  return {
    home,
    blobs,
    executor,
    request,
    async inputs(contents, executable = false) {
      const files: InputFile[] = [];
      for (const [name, content] of Object.entries(contents))
        files.push({ path: name, digest: await blobs.put(new TextEncoder().encode(content)), executable });
      return files;
    },
    run: (script, more) => new Promise((resolve) => executor.execute(request(script, more), resolve)),
    text: async (digest) => (digest ? Buffer.from(await blobs.read(digest)).toString() : ""),
    async close() {
      await executor.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
