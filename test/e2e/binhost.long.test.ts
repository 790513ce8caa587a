/** The examples of packages, from a spec to their clients: built, staged, finalized, served, installed by apt-get and read as emerge reads; then rolled back. */

import { spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEnvelope } from "../../node/release/attestation.ts";
import { Gpg } from "../../node/release/formats/gpg.ts";
import { until } from "../patience.ts";
import { Apt, hasApt } from "../release/apt.ts";
import { type Fetch, readBinhost } from "../release/gentoo-reader.ts";
import { KeyRing } from "../release/keys.ts";
import { Farm } from "./farm.ts";

const missing = ["gcc", "tar", "b2sum"].filter((program) => spawnSync(program, ["--version"]).status !== 0);
const fit = process.arch === "x64" && missing.length === 0;
if (!fit)
  console.warn("the examples of packages are skipped: they need an x86_64 machine with gcc, tar and b2sum");

/** A port that was free a moment ago. */
const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

class Binhost extends Farm {
  port = 0;
  static override async open(): Promise<Binhost> {
    const farm = new Binhost((await Farm.open()).terminal);
    farm.port = await freePort();
    return farm;
  }
  protected override settingsOf(): Readonly<Record<string, string>> {
    return { SWARMD_BINHOST_LISTEN: `127.0.0.1:${this.port}` };
  }
}

describe.skipIf(!fit)("packages (on x86_64 machines with gcc, tar and b2sum)", () => {
  let farm: Binhost;
  beforeAll(async () => {
    farm = await Binhost.open();
    await farm.found("ann");
    await farm.good("ann", "mirror", "add");
  }, 120_000);
  afterAll(() => farm.close());

  const root = path.resolve(import.meta.dirname, "../..");
  /** Builds an example into a channel of its name, and releases it. */
  const release = async (name: string) => {
    const text = await readFile(path.join(root, "specs/examples", `${name}.yaml`), "utf8");
    await mkdir(path.join(farm.terminal.dir, name), { recursive: true });
    spawnSync("cp", ["-r", path.join(root, "specs/examples", name), farm.terminal.dir]);
    const file = await farm.terminal.write(
      `${name}.yaml`,
      text.replace(/^ {2}format: /m, `  channel: ${name}\n  format: `),
    );
    await farm.good("ann", "submit", file);
    await until(async () => (await farm.good("ann", "staging")).includes(name));
    expect(await farm.good("ann", "finalize", "--channel", name)).toContain(`of ${name} is released`);
  };
  const over =
    (channel: string): Fetch =>
    async (name) => {
      const answer = await fetch(`http://127.0.0.1:${farm.port}/${channel}/${name}`);
      if (answer.status !== 200) return undefined;
      const lastModifiedMs = Date.parse(answer.headers.get("last-modified") ?? "");
      return { body: Buffer.from(await answer.arrayBuffer()), lastModifiedMs };
    };

  test("of Gentoo are read by all rules, and seen again by clients after a rollback", {
    timeout: 180_000,
  }, async () => {
    await release("gentoo");
    await until(async () => (await over("gentoo")("Packages")) !== undefined);
    const first = await readBinhost(over("gentoo"));
    expect(first.packages.map((one) => one.get("CPV"))).toEqual([
      "app-doc/greet-doc-1.0",
      "app-misc/greet-1.0",
    ]);
    const metadata = path.join(farm.terminal.dir, "gentoo/greet/metadata");
    await writeFile(metadata, (await readFile(metadata, "utf8")).replace("greet-1.0", "greet-2.0"));
    await farm.good("ann", "submit", path.join(farm.terminal.dir, "gentoo.yaml"));
    await until(async () => (await farm.good("ann", "staging")).includes("gentoo"));
    await farm.good("ann", "finalize", "--channel", "gentoo");
    await until(async () => (await readBinhost(over("gentoo"))).timestampS > first.timestampS);
    const second = await readBinhost(over("gentoo"), first.timestampS);
    expect(second.packages.map((one) => one.get("CPV"))).toContain("app-misc/greet-2.0");
    for (const one of first.packages) {
      expect(await over("gentoo")(one.get("PATH")!)).toBeDefined();
      const [, sha256] = /^blobs\/([0-9a-f]{64})/.exec(one.get("PATH")!)!;
      const line = await over("gentoo")(`provenance/${sha256}.intoto.jsonl`);
      const { statement, signers } = openEnvelope(line!.body.toString());
      expect(signers).toHaveLength(1);
      expect(statement).toMatchObject({
        subject: [{ digest: { sha256 } }],
        predicate: {
          buildDefinition: {
            externalParameters: { spec: "gentoo" },
            internalParameters: { release: { channel: "gentoo", epoch: 1 } },
          },
        },
      });
    }
    await farm.good("ann", "rollback", "1", "--channel", "gentoo");
    await until(async () => (await readBinhost(over("gentoo"))).timestampS > second.timestampS);
    const third = await readBinhost(over("gentoo"), second.timestampS);
    expect(third.packages).toEqual(first.packages);
    for (const one of second.packages) expect(await over("gentoo")(one.get("PATH")!)).toBeDefined();
  });

  test.skipIf(!hasApt)(
    "of Debian are installed by apt-get (where it, dpkg-deb, gpg and gpgv are installed)",
    { timeout: 180_000 },
    async () => {
      const ring = new KeyRing();
      try {
        const key = ring.make("garden");
        spawnSync("cp", ["-r", ring.dir, path.join(farm.homeOf("ann"), "gnupg")]);
        await release("debian");
        await until(async () => (await over("debian")("dists/debian/InRelease")) !== undefined);
        const source = `deb [signed-by=${ring.exported(key)}] http://127.0.0.1:${farm.port}/debian debian main`;
        const apt = await Apt.at(path.join(farm.terminal.dir, "apt"), source);
        await apt.run("update");
        expect(await apt.run("install", "--simulate", "greet")).toMatch(/^Inst greet \(1\.0-1/m);
        await apt.run("download", "greet");
      } finally {
        await new Gpg(path.join(farm.homeOf("ann"), "gnupg")).close();
        await ring.remove();
      }
    },
  );
});
