/** `swarmd release`: from a spec to an epoch, begun, interrupted and gone on with; and `swarmd taint`. The daemon is one in memory. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ChannelView } from "../../node/control/publishing.ts";
import { emptyDigest } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import type { Manifest, ReleaseItem } from "../../protocol/release/manifest.ts";
import type { ReleaseCommand, ReleaseReply } from "../../protocol/release/releases.ts";
import { MemoryControl, type MemoryOptions } from "../control/memory.ts";
import { Terminal } from "./terminal.ts";

const setUid = {
  score: 10,
  refuses: true,
  parts: [
    {
      kind: "set-uid",
      points: 10,
      count: 1,
      findings: [{ where: "out: bin/x", what: "set uid" }],
      remedy: "look at it",
    },
  ],
} as const;

/** One in which a complete build is staged until it is released. */
class Releasing extends MemoryControl {
  /** What each epoch holds, by build. */
  readonly epochs: BuildId[][] = [];
  readonly dropped = new Set<BuildId>();
  readonly commands: ReleaseCommand[] = [];
  /** Another coordinator is faster. */
  overtaken = false;

  private async waiting(): Promise<BuildId[]> {
    const complete = (await this.builds()).filter(({ state }) => state === "complete");
    return complete
      .map(({ build }) => build)
      .filter((build) => !this.epochs.flat().includes(build) && !this.dropped.has(build));
  }

  override async releases() {
    const staged = (await this.waiting()).map((build) => ({ build, items: 1, bytes: 1 }));
    const channel = { channel: "stable", current: this.epochs.length, staged, epochs: [], voters: [] };
    return { channels: [channel as unknown as ChannelView], mirrors: [] };
  }

  override async releaseManifest(_: string, epoch: number): Promise<Manifest> {
    const items = this.epochs[epoch - 1]!.map(
      (build): ReleaseItem => ({ path: "out", digest: emptyDigest, build, action: "link" as ActionName }),
    );
    return { items, builds: this.epochs.slice(0, epoch).flat() } as unknown as Manifest;
  }

  override async release(command: ReleaseCommand): Promise<ReleaseReply> {
    this.commands.push(command);
    if (command.kind === "verify")
      return { epoch: this.epochs.length + 1, ...(this.risk && { risk: this.risk }) };
    if (command.kind !== "finalize") return {};
    if (this.risk?.refuses && command.reason === undefined) throw new SwarmError("refused", "its risk is 10");
    const builds = await this.waiting();
    if (builds.length === 0) throw new SwarmError("refused", "nothing is staged for stable");
    this.epochs.push(builds);
    if (this.overtaken) throw new SwarmError("refused", "nothing is staged for stable");
    return { epoch: this.epochs.length };
  }
}

let terminal: Terminal;
let memory: Releasing;
beforeEach(async () => {
  terminal = await Terminal.open();
});
afterEach(() => terminal.close());

async function serve(options: MemoryOptions = {}) {
  memory = new Releasing({ nodes: ["alpha"], ...options });
  await terminal.serve(memory);
}

const specOf = (text = "one", rest = "release: {include: link}\n") =>
  terminal.write(
    "tool.yaml",
    `swarmd: 1\nname: tool\nactions:\n  link:\n    run: echo ${text} > \${out}\n    out: out\n${rest}`,
  );

describe("release", () => {
  test("builds, judges and finalizes, and once more says that this is done", async () => {
    await serve();
    const spec = await specOf();
    const text = await terminal.good("release", spec);
    expect(text).toMatch(/^submitted tool-[0-9a-f]{10}\n/);
    expect(text).toMatch(/epoch 1 of stable is released: it holds tool-[0-9a-f]{10}\n$/);
    expect(memory.commands).toEqual([
      { kind: "verify", channel: "stable" },
      { kind: "finalize", channel: "stable" },
    ]);
    const again = JSON.parse(await terminal.good("release", spec, "--json"));
    expect(again).toMatchObject({ ok: true, channel: "stable", epoch: 1, current: true });
    expect(memory.freshness).toEqual([false]);
    expect(memory.commands).toHaveLength(2);
    // Other content is another release.
    expect(await terminal.good("release", await specOf("two"))).toContain("epoch 2 of stable");
  });

  test("stops at a risk of ten with what helps, and goes on from there with a reason", async () => {
    await serve();
    memory.risk = setUid;
    const spec = await specOf();
    const stopped = await terminal.run("release", spec);
    expect(stopped.code).toBe(4);
    expect(stopped.stdout).toContain("10  set-uid, 1 time → look at it\n        out: bin/x: set uid\n");
    expect(stopped.stdout).toContain(`swarmd release ${spec} --reason TEXT`);
    expect(stopped.stdout).toContain("swarmd staging drop tool-");
    const json = await terminal.run("release", spec, "--json");
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([4, { ok: false, risk: { score: 10 } }]);
    const went = await terminal.good("release", spec, "--reason", "it is meant");
    expect(went).toMatch(/^goes on with tool-[0-9a-f]{10}, which is complete\n/);
    expect(memory.commands.at(-1)).toEqual({ kind: "finalize", channel: "stable", reason: "it is meant" });
    expect(memory.freshness).toHaveLength(1);
  });

  test("is left alone with Ctrl-C, and goes on with the build that still runs", async () => {
    const gate = Promise.withResolvers<void>();
    await serve({ pace: () => gate.promise });
    const spec = await specOf();
    const first = terminal.start(["release", spec]);
    await first.printed("submitted tool-");
    first.process.kill("SIGINT");
    const { code, stderr } = await first.ended;
    expect(code).toBe(130);
    expect(stderr).toContain("run the same again to go on with its release");
    const second = terminal.start(["release", spec]);
    await second.printed("goes on with tool-");
    gate.resolve();
    expect((await second.ended).code).toBe(0);
    expect(memory.freshness).toHaveLength(1);
    expect(memory.epochs).toHaveLength(1);
  });

  test("ends with 1 when the build fails, and builds anew when it is run again", async () => {
    await serve({ failing: ["link"] });
    const spec = await specOf();
    for (const times of [1, 2]) {
      expect((await terminal.run("release", spec)).code).toBe(1);
      expect(memory.freshness).toHaveLength(times);
    }
    expect(memory.commands).toEqual([]);
  });

  test("is content with the epoch of another coordinator that was faster", async () => {
    await serve();
    memory.overtaken = true;
    expect(await terminal.good("release", await specOf())).toContain("epoch 1 of stable is released");
  });

  test("says when the present epoch holds it no more", async () => {
    await serve();
    const spec = await specOf();
    await terminal.good("release", spec);
    memory.epochs.push([]);
    const { code, stdout, stderr } = await terminal.run("release", spec);
    expect([code, stdout]).toEqual([0, expect.stringContaining("epoch 1 of stable is released")]);
    expect(stderr).toContain("the present epoch holds it no more");
  });

  test("refuses a spec that releases nothing, and options that are none", async () => {
    await serve();
    const nothing = await terminal.run("release", await specOf("one", ""));
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining("releases nothing")]);
    for (const args of [[], ["none.yaml"], [await specOf(), "--priority", "x"]])
      expect((await terminal.run("release", ...args)).code, args.join(" ")).toBe(2);
    expect(memory.freshness).toEqual([]);
  });
});

describe("taint", () => {
  test("is said with a node and a moment, once it is confirmed, and lists what holds what was made", async () => {
    await serve({ nodes: ["alpha", "beta"] });
    expect(await terminal.good("taint")).toBe("nothing is tainted\n");
    const unasked = await terminal.run("taint", "--node", "beta", "--since", "2h");
    expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining("--yes")]);
    memory.tainted = {
      taints: [],
      builds: [{ build: "tool-0123456789" as BuildId, actions: ["link" as ActionName], count: 1 }],
      staged: [{ channel: "stable", build: "tool-0123456780" as BuildId, paths: ["out"], count: 1 }],
      epochs: [
        { channel: "stable", epoch: 4, current: true, paths: ["a", "b", "c", "d"], count: 9 },
        { channel: "stable", epoch: 3, current: false, paths: ["a"], count: 1 },
      ],
      unread: ["epoch 1 of stable"],
    };
    const args = ["taint", "--node", "beta", "--since", "2h", "--reason", "bad memory", "--yes"];
    const { code, stdout, stderr } = await terminal.run(...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^what beta made since .* counts no more\n.*: since .*, by the word of alpha\n/);
    expect(stdout).toMatch(/epoch 4 of stable, the current one +9 files: a, b, c …\n/);
    expect(stdout).toMatch(/tool-0123456789 +1 action: link\n/);
    expect(stderr).toContain("swarmd rollback 2 --channel stable");
    expect(stderr).toContain("swarmd staging drop tool-0123456780");
    expect(stderr).toContain("epoch 1 of stable cannot be read here");
    expect(JSON.parse(await terminal.good("taint", "--json")).taints).toHaveLength(1);
  });

  test("says what it takes", async () => {
    await serve();
    for (const args of [
      ["--node", "alpha"],
      ["--since", "2h"],
      ["--node", "alpha", "--since", "yesterday", "--yes"],
      ["--node", "alpha", "--since", "2999-01-01", "--yes"],
    ])
      expect((await terminal.run("taint", ...args)).code, args.join(" ")).toBe(2);
    expect((await terminal.run("taint", "--node", "nobody", "--since", "2h", "--yes")).code).toBe(2);
  });
});
