/** Which epoch broke a package: by halving, with a command or by hand, also where some cannot be tried. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { judged, nextStep, type Search } from "../../cli/bisect.ts";
import type { ChannelView } from "../../node/control/publishing.ts";
import { digestOf, emptyDigest } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Manifest } from "../../protocol/release/manifest.ts";
import type { ReleaseCommand } from "../../protocol/release/releases.ts";
import { MemoryControl } from "../control/memory.ts";
import { Terminal } from "./terminal.ts";

describe("halving", () => {
  const over = (count: number): Search => ({
    candidates: Array.from({ length: count }, (_, i) => i + 1),
    good: 1,
    bad: count,
    skipped: new Set(),
  });
  /** Tries until it is found; how often, and what. */
  const found = (search: Search, bad: number, cannot: readonly number[] = []) => {
    let at = search;
    for (let tries = 0; ; tries++) {
      const step = nextStep(at);
      if (step.kind === "found") return { tries, epoch: step.epoch, or: step.or };
      at = judged(at, step.epoch, cannot.includes(step.epoch) ? "skip" : step.epoch >= bad ? "bad" : "good");
    }
  };

  test("finds every first bad one in few tries", () => {
    for (let bad = 2; bad <= 100; bad++) {
      const { tries, epoch, or } = found(over(100), bad);
      expect([epoch, or]).toEqual([bad, []]);
      expect(tries).toBeLessThanOrEqual(7);
    }
  });

  test("names those beside it that could not be tried", () => {
    expect(found(over(9), 5, [3, 4])).toMatchObject({ epoch: 5, or: [3, 4] });
    expect(found(over(9), 5, [7])).toMatchObject({ epoch: 5, or: [] });
    expect(found(over(4), 2, [2, 3])).toMatchObject({ epoch: 4, or: [2, 3] });
  });
});

/** Seven epochs: `greet` changes in 2, 4 and 6, epoch 5 is forgotten, something else changes in each. */
class Epochs extends MemoryControl {
  readonly commands: ReleaseCommand[] = [];
  private readonly texts = ["", "one", "two", "two", "three", "three", "four", "four"];

  override async releases() {
    return {
      channels: [{ channel: "stable", current: 7, epochs: [], staged: [] } as unknown as ChannelView],
      mirrors: [],
    };
  }

  override async releaseManifest(channel: string, epoch: number): Promise<Manifest> {
    if (epoch > 7) return super.releaseManifest(channel, epoch);
    if (epoch === 5) throw new SwarmError("blob-missing", "nobody has it");
    const bytes = Buffer.from(this.texts[epoch]!);
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    const item = (path: string, build: string) => ({
      path,
      digest,
      build: `${build}-000000000${epoch}`,
      action: "a",
    });
    const items = [
      item("pool/greet_1.0_amd64.deb", "greet"),
      { ...item("greet-doc.deb", "doc"), digest: emptyDigest },
    ];
    return { items, builds: [] } as unknown as Manifest;
  }

  override async release(command: ReleaseCommand) {
    this.commands.push(command);
    return command.kind === "rollback" ? { epoch: 8 } : {};
  }
}

describe("releases", () => {
  let terminal: Terminal;
  let control: Epochs;
  beforeAll(async () => {
    terminal = await Terminal.open();
    control = new Epochs({ nodes: ["alpha"] });
    await terminal.serve(control);
  });
  afterAll(() => terminal.close());
  const bisect = (...args: string[]) => terminal.run("releases", "bisect", ...args);

  test("bisect with a command runs it on the package of each epoch that differs", async () => {
    const run = 'case $(cat "$1") in one|two) exit 0;; *) echo "bad in $SWARMD_EPOCH"; exit 1;; esac';
    const { code, stdout, stderr } = await bisect("greet", "--good", "1", "--run", run);
    expect([code, stdout]).toEqual([
      0,
      "bad in 4\nepoch 4: bad\nepoch 2: good\nepoch 4 of stable is the first bad one: greet came there from greet-0000000004\n",
    ]);
    expect(stderr).toContain("nobody in reach knows what epoch 5 held");
    expect(stderr).toContain("swarmd rollback 3 --channel stable");
    const skipped = await bisect("greet", "--good", "1", "--run", "exit 125", "--json");
    expect(JSON.parse(skipped.stdout)).toMatchObject({ first: 7, or: [2, 4, 6] });
  });

  test("bisect by hand says which to try, and what to say then", async () => {
    const { code, stdout } = await bisect("greet", "--good", "1", "--bad", "6");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^try epoch 4; 2 epochs left in which greet changed\n {2}get it: .*artifact get [0-9a-f]{64}\S* -o greet_1.0_amd64.deb\n/,
    );
    expect(stdout).toContain("swarmd releases bisect greet --channel stable --good 4 --bad 6\n");
    expect(stdout).toContain("swarmd releases bisect greet --channel stable --good 1 --bad 4\n");
    expect((await bisect("greet", "--good", "1", "--bad", "2")).stdout).toContain(
      "epoch 2 of stable is the first bad one",
    );
  });

  test("bisect refuses what makes no sense", async () => {
    for (const [args, code, said] of [
      [["greet"], 2, "takes a package and an epoch"],
      [["greet", "--good", "6", "--bad", "2"], 2, "comes before"],
      [["greet", "--good", "2", "--bad", "3"], 4, "is the same in epoch 2 and in epoch 3"],
      [["nothing", "--good", "1", "--bad", "2"], 2, "holds no nothing"],
      [["greet", "--good", "1", "--bad", "12"], 2, "no epoch 8"],
      [["greet", "--good", "1", "--run", "kill -9 $$"], 4, "ended by a signal"],
    ] as const) {
      const result = await bisect(...args);
      expect([result.code, result.stderr], args.join(" ")).toEqual([code, expect.stringContaining(said)]);
    }
  });

  test("pin keeps the present epoch, brings an older one back first, and unpin lets it go on", async () => {
    expect(await terminal.good("releases", "pin", "--reason", "why")).toBe("stable stays on epoch 7\n");
    expect(await terminal.good("releases", "pin", "3")).toBe(
      "stable stays on epoch 8, which holds what epoch 3 held\n",
    );
    expect(await terminal.good("releases", "unpin")).toBe("stable goes on\n");
    expect(control.commands).toEqual([
      { kind: "pin", channel: "stable", epoch: 7, reason: "why" },
      { kind: "rollback", channel: "stable", epoch: 3 },
      { kind: "pin", channel: "stable", epoch: 8 },
      { kind: "pin", channel: "stable", epoch: null },
    ]);
    for (const args of [
      ["pin", "x"],
      ["unpin", "3"],
    ])
      expect((await terminal.run("releases", ...args)).code, args.join(" ")).toBe(2);
  });
});
