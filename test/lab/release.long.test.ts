/** Releases among real daemons, with the network parted and mirrors killed in the middle of them, while clients read: nothing torn, nothing missing, nothing goes back. */
import { readdir, readFile, readlink } from "node:fs/promises";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { EpochView } from "../../node/control/publishing.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";

const missing = await missingForLab();
if (missing) console.warn(`releases among real daemons are not tried: there is no ${missing}`);

const names = ["ann", "ben", "cleo"];
const readMs = 10;

/** A client of one mirror's folder: reads an epoch whole, again and again. */
class Reader {
  readonly wrong: string[] = [];
  reads = 0;
  newest = 0;
  private readonly shown: string;
  private readonly name: string;
  private readonly timer: NodeJS.Timeout;
  private reading: Promise<void> | undefined;

  constructor(name: string, shown: string) {
    this.name = name;
    this.shown = shown;
    this.timer = setInterval(() => {
      this.reading ??= this.read().finally(() => {
        this.reading = undefined;
      });
    }, readMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.reading;
  }

  private async read(): Promise<void> {
    const epoch = Number(await readlink(path.join(this.shown, "current")).catch(() => "0"));
    if (epoch === 0 && this.newest === 0) return;
    if (epoch < this.newest) this.wrong.push(`${this.name}: back from ${this.newest} to ${epoch}`);
    this.newest = Math.max(this.newest, epoch);
    const folder = path.join(this.shown, String(epoch));
    try {
      const index = await readFile(path.join(folder, "SHA256SUMS"), "utf8");
      const lines = index.trimEnd().split("\n");
      for (const line of lines) {
        const [sum, file] = line.split("  ") as [string, string];
        const text = await readFile(path.join(folder, file), "utf8");
        if (sha256Hex(text) !== sum) this.wrong.push(`${this.name}: ${file} of epoch ${epoch} is torn`);
      }
      if (lines.length !== (await readdir(path.join(folder, "bin"))).length)
        this.wrong.push(`${this.name}: epoch ${epoch} is not whole`);
      this.reads++;
    } catch (error) {
      this.wrong.push(`${this.name}: epoch ${epoch}: ${(error as Error).message}`);
    }
  }
}

describe.skipIf(missing !== undefined)("releases while machines are parted and killed", () => {
  let farm: LabFarm;
  afterEach(() => farm?.close());

  test("every client reads whole epochs, one after the other, and all mirrors come to the last", {
    timeout: 400_000,
  }, async () => {
    farm = await LabFarm.boot(names);
    await farm.found(...names);
    for (const name of names.slice(1)) await farm.good("ann", "member", "role", name, "+releaser");
    for (const name of names) await farm.good(name, "mirror", "add");
    const spec = (version: number) =>
      farm.terminal.write(
        "tools.yaml",
        `swarmd: 1\nname: tools\nactions:\n  tools:\n    run: mkdir -p \${out}; for n in 1 2 3 4 5; do echo tool $n of ${version} > \${out}/$n; done\n    out: bin/\nrelease: {include: tools}\n`,
      );
    const shown = (name: string) => path.join(farm.homeOf(name), "releases", "stable");
    const readers = names.map((name) => new Reader(name, shown(name)));
    const epochOf = async (name: string) =>
      (await farm.json<EpochView[]>(name, "releases", "list").catch(() => [])).length;
    /** Stages something new, and asks `by` to release it while `meanwhile` happens; until somebody did. */
    const release = async (version: number, by: string, meanwhile: () => Promise<unknown>) => {
      await farm.json(by, "submit", await spec(version));
      await Promise.all([farm.run(by, "finalize"), meanwhile()]);
      await farm.lab.heal();
      await until(async () => {
        if ((await epochOf(by)) >= version) return true;
        await farm.run(by, "finalize");
        return false;
      });
    };
    const again = (name: string) => async () => {
      await farm.kill(name);
      await farm.start(name);
    };

    await release(1, "ann", async () => {});
    await release(2, "ben", () => farm.lab.partition(["ann", "ben"], ["cleo"]));
    await release(3, "cleo", again("ann"));
    await release(4, "ann", () => farm.lab.partition(["ann"], ["ben", "cleo"]));
    await release(5, "ben", again("cleo"));
    await release(6, "cleo", async () => {
      await farm.lab.cut("cleo", "ann");
      await again("ben")();
    });

    const last = await epochOf("cleo");
    for (const name of names)
      await until(async () => (await readlink(path.join(shown(name), "current"))) === String(last));
    for (const reader of readers) await reader.stop();
    expect(readers.flatMap(({ wrong }) => wrong)).toEqual([]);
    for (const reader of readers) expect(reader.reads).toBeGreaterThan(last);
    const epochs = await Promise.all(names.map((name) => farm.json<EpochView[]>(name, "releases", "list")));
    for (const list of epochs)
      expect(list.map(({ value }) => value)).toEqual(epochs[0]!.map(({ value }) => value));
    expect(farm.deaths).toEqual([]);
  });
});
