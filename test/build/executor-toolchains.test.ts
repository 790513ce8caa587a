import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createToolchains, type Toolchains } from "../../node/build/toolchains.ts";
import { boxWorks, type Execution, openExecution } from "./execution.ts";

describe.each<["bubblewrap" | "none"]>([["bubblewrap"], ["none"]])(
  "toolchains of an action (%s)",
  (sandbox) => {
    const works = sandbox === "none" || boxWorks;
    let prefix: string;
    let toolchains: Toolchains;
    let execution: Execution;

    const install = (version: string) => {
      const file = path.join(prefix, "bin/mytool");
      writeFileSync(file, `#!/bin/sh\necho mytool ${version}\n`);
      chmodSync(file, 0o755);
    };
    beforeEach(async (context) => {
      if (!works) return context.skip();
      prefix = await mkdtemp(path.join(tmpdir(), "swarmd-prefix-"));
      chmodSync(prefix, 0o755);
      mkdirSync(path.join(prefix, "bin"));
      install("1.0");
      toolchains = createToolchains({ declared: { mytool: prefix }, pollMs: 3_600_000 });
      await toolchains.look();
      execution = await openExecution(sandbox, { toolchains });
    });
    afterEach(async () => {
      if (!works) return;
      await execution.close();
      toolchains.stop();
      await rm(prefix, { recursive: true });
    });
    const granted = () => ({ toolchains: { mytool: toolchains.offers.mytool! } });

    it("are on its path where it names them, and only there", async () => {
      const found = await execution.run("mytool; command -v mytool", granted());
      expect(found).toMatchObject({ kind: "done" });
      const { stdout } = (found as { result: { stdout?: never } }).result;
      expect(await execution.text(stdout)).toBe(`mytool 1.0\n${prefix}/bin/mytool\n`);
      expect(await execution.run("mytool")).toMatchObject({ kind: "failed", exitCode: 127 });
    });

    it.skipIf(sandbox === "none")(
      "cannot be written to, nor be seen by actions that do not name them",
      async () => {
        expect(await execution.run(`echo x > ${prefix}/bin/x`, granted())).toMatchObject({ kind: "failed" });
        expect(await execution.run(`test ! -e ${prefix}/bin`)).toMatchObject({ kind: "done" });
      },
    );

    it("are those it was granted for, or it does not run: the node's failure, with what has changed", async () => {
      const old = granted();
      install("2.0-beta.2");
      expect(await execution.run("mytool", old)).toMatchObject({
        kind: "failed",
        cause: "infrastructure",
        reason: expect.stringMatching(
          /^the toolchain is not the one it was granted for: mytool 1\.0 .* → 2\.0 /,
        ),
      });
      expect(await execution.run("mytool", granted())).toMatchObject({ kind: "done" });
    });

    it.skipIf(sandbox === "none")(
      "that changed while the box could not follow run once it can, and not before",
      async () => {
        const system = path.join(execution.home, "work/root/etc");
        renameSync(system, `${system}.away`);
        writeFileSync(system, "");
        install("2.0");
        await toolchains.look();
        expect(await execution.run("mytool", granted())).toMatchObject({
          kind: "failed",
          cause: "infrastructure",
          reason: expect.stringContaining("ENOTDIR"),
        });
        rmSync(system);
        renameSync(`${system}.away`, system);
        rmSync(path.join(system, "ld.so.cache"));
        expect(await execution.run("mytool", granted())).toMatchObject({ kind: "done" });
        expect(existsSync(path.join(system, "ld.so.cache"))).toBe(true);
      },
    );

    // In a box an action cannot replace anything itself; what is looked at behind a run is the same.
    it.skipIf(sandbox === "bubblewrap")("that are replaced while it runs take its result along", async () => {
      const script = `echo 'echo mytool 3.0' > '${path.join(prefix, "bin/mytool")}'`;
      expect(await execution.run(script, granted())).toMatchObject({
        kind: "failed",
        cause: "infrastructure",
        reason: expect.stringContaining("→ 3.0"),
      });
    });
  },
);
