/** How soon a release of many packages is certified once all mirrors have them, and how long the moment is in which a mirror turns to it. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { controlClient } from "../../node/control/client.ts";
import { placesOf } from "../../node/home-places.ts";
import { FilesFormat } from "../../node/release/formats/files.ts";
import { openShowcase } from "../../node/release/showcase.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import type { PublishStep } from "../../protocol/contract.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { encodeManifest, type ReleaseItem } from "../../protocol/release/manifest.ts";
import { debOf } from "../release/packages.ts";
import type { Farm } from "./farm.ts";

/** Between two looks. */
const lookMs = 50;
const waitMsMax = 120_000;

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + waitMsMax; !(await holds()); await sleep(lookMs))
    if (performance.now() > endMs) throw new Error("the mirrors do not have what is staged");
}

async function packages(folder: string, count: number, tag: string): Promise<void> {
  await rm(path.join(folder, "debs"), { recursive: true, force: true });
  await mkdir(path.join(folder, "debs"));
  for (let n = 0; n < count; n++) {
    const control = `Package: p${n}\nVersion: ${tag}\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: shown\n`;
    const body = `${tag} ${n}\n`.repeat(200);
    await writeFile(
      path.join(folder, "debs", `p${n}.deb`),
      await debOf(control, [{ name: "./usr/x", body }]),
    );
  }
}

/** Milliseconds of each finalize, from the request to the certificate: three voters, the first of them coordinates. */
export async function finalizeMs(
  farm: Farm,
  folder: string,
  count: number,
  rounds: number,
): Promise<number[]> {
  const clients = (await farm.daemons()).map(({ home }) => controlClient(placesOf(home).controlSocket));
  const [first] = clients;
  for (const { peerId, self } of (await first!.nodes()).map((n) => ({ ...n, self: n.state === "self" })))
    if (!self) await first!.member({ op: "role", peer: peerId, roles: ["releaser", "builder", "submitter"] });
  await until(async () =>
    (await first!.members()).members.every((m) => m.roles.includes("releaser") || m.roles.includes("admin")),
  );
  for (const client of clients) await client.release({ kind: "mirror", op: "add", votes: true });
  const spec = path.join(folder, "release.yaml");
  await writeFile(
    spec,
    'swarmd: 1\nname: packages\ninputs: {debs: debs}\nactions:\n  pack:\n    run: cp -r debs all\n    in: ["debs/**"]\n    out: all/\nrelease: {include: pack}\n',
  );
  const took: number[] = [];
  // The first one is the founder's alone, and names the three.
  for (let round = 0; round <= rounds; round++) {
    await packages(folder, count, `1.${round}`);
    await farm.submit(spec);
    await until(async () => {
      const views = await Promise.all(clients.map((client) => client.releases()));
      return views.every(({ mirrors, channels: [channel] }) => {
        const staged = channel?.staged[0];
        const current =
          mirrors.length === clients.length && mirrors.every((m) => (m.shows[0]?.epoch ?? 0) === round);
        return current && staged?.items === count && staged.missingHere === 0;
      });
    });
    // As people do it, and it waits until the packages are read.
    await first!.release({ kind: "verify", channel: "stable" });
    const startMs = performance.now();
    await first!.release({ kind: "finalize", channel: "stable", reason: "measured" });
    took.push(performance.now() - startMs);
  }
  return took.slice(1);
}

/** Milliseconds of each step that turns a mirror to an epoch of so many files. */
export async function switchMs(count: number, rounds: number): Promise<number[]> {
  const dir = await mkdtemp(path.join(tmpdir(), "swarmd-bench-switch-"));
  try {
    const blobs = await openBlobStore(path.join(dir, "blobs"));
    const showcase = await openShowcase({
      dir: path.join(dir, "shown"),
      blobs,
      formats: [new FilesFormat()],
    });
    const run = (step: PublishStep) =>
      new Promise<void>((resolve, reject) =>
        showcase.run(step, (error) => (error ? reject(new Error(error.message)) : resolve())),
      );
    const items: ReleaseItem[] = [];
    for (let n = 0; n < count; n++) {
      const digest = await blobs.put(Buffer.from(`file ${n}\n`));
      const name = `f${String(n).padStart(4, "0")}`;
      items.push({ path: name, digest, build: "tool-0123456789", action: "all" } as unknown as ReleaseItem);
    }
    const took: number[] = [];
    for (let epoch = 1; epoch <= rounds; epoch++) {
      const at = { channel: "stable", epoch };
      const manifest: Digest = await blobs.put(
        encodeManifest({
          v: 1,
          swarm: "a".repeat(64) as never,
          ...at,
          parent: null,
          atMs: 1,
          format: "files",
          items,
          builds: [],
        }),
      );
      const files = items.map(({ path: name, digest }) => ({ path: name, digest }));
      await run({ step: "begin", ...at });
      await run({ step: "fill", ...at, files });
      await run({ step: "index", ...at, manifest });
      await run({ step: "keep", ...at });
      const startMs = performance.now();
      await run({ step: "switch", ...at });
      took.push(performance.now() - startMs);
    }
    return took;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
