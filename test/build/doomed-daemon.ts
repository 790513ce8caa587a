/** A process with an executor, to be killed from outside: `doomed-daemon.ts HOME SANDBOX MARK` runs two stubborn actions until then. */
import path from "node:path";
import { createExecutor } from "../../node/build/executor.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import { buildTree } from "../../protocol/build/reapi.ts";
import type { ActionName, BuildId, ClaimId } from "../../protocol/kernel/ids.ts";

const [home, sandbox, mark] = process.argv.slice(2) as [string, "bubblewrap" | "none", string];
const log = { debug: () => {}, info: () => {}, warn: () => {} };
const blobs = await openBlobStore(path.join(home, "blobs"));
const executor = await createExecutor({ blobs, dir: path.join(home, "work"), slots: 2, sandbox, log });
// A plain child, one in another session, and one that was forked twice and lost its parent; none listens to TERM.
const script = `trap '' TERM; setsid sleep ${mark} & (setsid sh -c 'sleep ${mark} & sleep ${mark}' &) ; sleep ${mark}; wait`;
for (const n of [1, 2])
  executor.execute(
    {
      claim: `claim.${n}` as ClaimId,
      build: "doomed-0000000000" as BuildId,
      action: `a/${n}` as ActionName,
      argv: ["/bin/sh", "-c", script],
      env: {},
      inputRoot: buildTree([]).root,
      toolchains: {},
      files: [],
      outputs: [],
      timeoutMs: 600_000,
      silenceMs: 0,
    },
    () => process.exit(1),
  );
