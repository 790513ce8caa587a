/** Writes in every way that a node has onto a disk with ever less room, and says line by line what came of it. Run in a mount namespace of its own. */
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { createWorkspaces } from "../../node/build/workspace.ts";
import { writeFileAtomic, writeFileOnce } from "../../node/files.ts";
import { createLog } from "../../node/log.ts";
import { FilesFormat } from "../../node/release/formats/files.ts";
import { openShowcase } from "../../node/release/showcase.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import { openEventStore } from "../../node/store/events.ts";
import type { Records } from "../../node/store/migrations.ts";
import { ListMaker, pieceAt, pieceCountOf } from "../../node/store/pieces.ts";
import { digestOf, hashOf } from "../../protocol/kernel/digest.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { entryAt } from "../contract/chain.ts";
import { publishSteps } from "../release/publishing.ts";

export interface Line {
  readonly way: string;
  readonly slackBytes: number;
  /** What was answered: `stored`, or a code. */
  readonly answer: string;
  /** What it left that is neither the old nor the new, in words. */
  readonly torn: readonly string[];
  /** Answer to the same once there was room again. */
  readonly after: string;
}

const [mount, elsewhere] = process.argv.slice(2) as [string, string];
const ballast = path.join(mount, "ballast");
const slacks = [0, 4 << 10, 16 << 10, 60 << 10, 300 << 10, 1 << 20, 3 << 20, 10 << 20];

function fill(slackBytes: number) {
  const { bsize, bavail } = statfsSync(mount);
  try {
    writeFileSync(ballast, new Uint8Array(bsize * bavail));
  } catch (thrown) {
    // A file system takes some of the room for what it notes of the file.
    if (codeOf(thrown) !== "ENOSPC") throw thrown;
  }
  truncateSync(ballast, Math.max(0, statSync(ballast).size - slackBytes));
}
const empty = () => rmSync(ballast, { force: true });
const codeOf = (thrown: unknown): string => String((thrown as { code?: unknown }).code ?? thrown);
const answerTo = (tried: Promise<unknown>): Promise<string> => tried.then(() => "stored", codeOf);

/** Bytes that are like no other's, and that no file system makes smaller. */
function bytesOf(seed: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, x = seed * 2654435761 + 1; i < size; i++) {
    x = (x * 1103515245 + 12345) % 2 ** 31;
    bytes[i] = x >> 16;
  }
  return bytes;
}

interface Way {
  write(bytes: Uint8Array): Promise<unknown>;
  /** What is not as it was before or as it should be now. */
  check(bytes: Uint8Array, stored: boolean): string[] | Promise<string[]>;
}

async function tryWay(way: string, { write, check }: Way, size: number) {
  for (const [n, slackBytes] of slacks.entries()) {
    for (const held of await blobs.list()) blobs.drop(held);
    const bytes = bytesOf(n + way.length * 100, size);
    fill(slackBytes);
    const answer = await answerTo(write(bytes));
    const torn = await check(bytes, answer === "stored");
    empty();
    const after = await answerTo(write(bytes));
    torn.push(...(await check(bytes, after === "stored")));
    console.log(JSON.stringify({ way, slackBytes, answer, torn, after } satisfies Line));
  }
}

const store = path.join(mount, "blobs");
const blobs = await openBlobStore(store);
// Most of the disk is full for good: what fills the rest is made anew for each try.
writeFileSync(path.join(mount, "others"), new Uint8Array(36 << 20));
const source = path.join(elsewhere, "source");

async function checkBlob(bytes: Uint8Array, stored: boolean): Promise<string[]> {
  const digest = digestOf(bytes);
  const torn = readdirSync(path.join(store, "tmp")).map((name) => `a draft is left: ${name}`);
  if (blobs.has(digest) !== stored) torn.push(stored ? "it is not here" : "it is here after all");
  else if (stored && digestOf(await blobs.read(digest)) !== digest) torn.push("it is something else");
  if (!stored && readdirSync(path.join(store, "partial")).length > 0) torn.push("a part is left");
  return torn;
}
const blobWay = (write: Way["write"]): Way => ({ write, check: checkBlob });

async function* inChunks(bytes: Uint8Array) {
  for (let at = 0; at < bytes.length; at += 64 << 10) yield bytes.subarray(at, at + (64 << 10));
}

for (const size of [50_000, 1_000_000])
  await tryWay(
    `put ${size}`,
    blobWay((bytes) => blobs.put(bytes)),
    size,
  );
await tryWay(
  "putStream",
  blobWay((bytes) => blobs.putStream(digestOf(bytes), inChunks(bytes))),
  1_000_000,
);
await tryWay(
  "putFile",
  blobWay((bytes) => {
    writeFileSync(source, bytes);
    return blobs.putFile(source);
  }),
  500_000,
);
await tryWay(
  "takeFile",
  blobWay((bytes) => {
    writeFileSync(source, bytes);
    return blobs.takeFile(source);
  }),
  500_000,
);
await tryWay(
  "gather",
  blobWay((bytes) => {
    const digest = digestOf(bytes);
    const maker = new ListMaker(digest);
    maker.update(bytes);
    return blobs.gather(digest, maker.list(), async (gathering) => {
      for (let index = pieceCountOf(digest) - 1; index >= 0; index--) {
        const at = pieceAt(digest, index);
        await gathering.put(index, bytes.subarray(at.offset, at.offset + at.bytes));
      }
    });
  }),
  9_000_000,
);
await tryWay(
  "executablePath",
  {
    async write(bytes) {
      const digest = digestOf(bytes);
      if (!blobs.has(digest)) {
        const slackBytes = statfsSync(mount).bavail * statfsSync(mount).bsize;
        empty();
        await blobs.put(bytes);
        fill(slackBytes);
      }
      await blobs.executablePath(digest);
    },
    async check(bytes, stored) {
      const torn = readdirSync(path.join(store, "tmp")).map((name) => `a draft is left: ${name}`);
      const digest = digestOf(bytes);
      if (stored && digestOf(readFileSync(await blobs.executablePath(digest))) !== digest)
        torn.push("it is something else");
      return torn;
    },
  },
  500_000,
);

const small = path.join(mount, "small");
let before = "the old one".repeat(3000);
await writeFileAtomic(small, before);
await tryWay(
  "writeFileAtomic",
  {
    write: (bytes) => writeFileAtomic(small, Buffer.from(bytes).toString("hex")),
    check(bytes, stored) {
      const now = readFileSync(small, "utf8");
      const wanted = stored ? Buffer.from(bytes).toString("hex") : before;
      before = now;
      return [
        ...(now === wanted ? [] : ["neither the old nor the new"]),
        ...readdirSync(mount)
          .filter((name) => name.startsWith(".") || name.startsWith("small."))
          .map((name) => `a draft is left: ${name}`),
      ];
    },
  },
  40_000,
);
await tryWay(
  "writeFileOnce",
  {
    write: (bytes) => writeFileOnce(path.join(mount, `once-${digestOf(bytes).slice(0, 8)}`), bytes),
    check(bytes, stored) {
      const name = `once-${digestOf(bytes).slice(0, 8)}`;
      const names = readdirSync(mount);
      const odd = names.filter((other) => other.includes("once") && !/^once-[0-9a-f]{8}$/.test(other));
      const is = names.includes(name);
      if (is !== stored) odd.push(stored ? "it is not here" : "it is here after all");
      if (is && Buffer.compare(readFileSync(path.join(mount, name)), bytes) !== 0)
        odd.push("it is half written");
      return odd;
    },
  },
  40_000,
);

// A mirror whose blobs lie on another disk: what it shows is the old epoch or the new one, whole.
const far = await openBlobStore(path.join(elsewhere, "blobs"));
const shown = path.join(mount, "releases");
const showcase = await openShowcase({ dir: shown, blobs: far, formats: [new FilesFormat()] });
let epoch = 0;
await tryWay(
  "showcase",
  {
    async write(bytes) {
      epoch++;
      for (const step of await publishSteps(far, epoch, "tool", bytes))
        await new Promise<void>((resolve, reject) =>
          showcase.run(step, (error) => (error ? reject(error) : resolve())),
        );
      await new Promise((resolve) =>
        showcase.run({ step: "remove", channel: "stable", epoch: epoch - 2 }, resolve),
      );
    },
    check(bytes, stored) {
      const folder = path.join(shown, "stable", "current");
      if (!existsSync(folder)) return stored ? ["nothing is shown"] : [];
      const now = readFileSync(path.join(folder, "tool"));
      const torn = [];
      if ((digestOf(now) === digestOf(bytes)) !== stored) torn.push("the wrong epoch is shown");
      const sums = readFileSync(path.join(folder, "SHA256SUMS"), "utf8");
      if (!sums.includes(hashOf(digestOf(now)))) torn.push("its index is another's");
      return torn;
    },
  },
  500_000,
);
await rm(shown, { recursive: true });

// An action's own copies of its inputs, for it may write beside them.
const actions = path.join(mount, "actions");
const workspaces = createWorkspaces(blobs, actions, (folder) => rmSync(folder, { recursive: true }));
await tryWay(
  "workspace",
  {
    async write(bytes) {
      const digest = digestOf(bytes);
      if (!blobs.has(digest)) {
        const slackBytes = statfsSync(mount).bavail * statfsSync(mount).bsize;
        empty();
        await blobs.put(bytes);
        fill(slackBytes);
      }
      const files = [{ path: "src/a.c", digest, executable: false }];
      const { dir, release } = await workspaces.prepare(
        { files, outputs: [{ path: "src", kind: "folder" }] },
        true,
      );
      const laid = digestOf(readFileSync(`${dir}/work/src/a.c`));
      release();
      if (laid !== digest) throw new Error("it was laid out as something else");
    },
    check: () =>
      readdirSync(actions, { recursive: true, withFileTypes: true })
        .filter((one) => one.isFile())
        .map(({ name }) => `of a workspace is left: ${name}`),
  },
  500_000,
);

// Whoever logs is not held up; a line that has no room is lost, and the next one stands on a line of its own.
const logFile = path.join(mount, "log");
const log = createLog({ level: "info", file: logFile });
const linesIn = () => readFileSync(logFile, "utf8").split("\n").filter(Boolean);
const isLine = (text: string) => {
  try {
    return (JSON.parse(text) as { msg?: string }).msg !== undefined;
  } catch {
    return false;
  }
};
let torn = 0;
await tryWay(
  "log",
  {
    async write(bytes) {
      log.info(Buffer.from(bytes).toString("hex"));
      if (!linesIn().at(-1)?.includes(Buffer.from(bytes).toString("hex")))
        throw Object.assign(new Error("it is not there"), { code: "disk-full" });
    },
    check(_, stored) {
      const broken = linesIn().filter((line) => !isLine(line)).length;
      const more = broken - torn;
      torn = broken;
      return more > (stored ? 0 : 1) ? ["a line that had room is torn"] : [];
    },
  },
  200_000,
);

// A store that is brought up to a new format is copied for that: as it was, or as it will be.
const older = path.join(mount, "older");
const steps = [
  {
    what: "every entry is written again",
    async run(records: Records) {
      for await (const [key, value] of records.iterator({ gte: "e/", lt: "e0" }))
        await records.batch([{ type: "put", key: `x${key}`, value }]);
    },
  },
];
const seqs = Array.from({ length: 400 }, (_, seq) => seq);
await tryWay(
  "migrate",
  {
    async write() {
      if (!existsSync(older)) {
        const slackBytes = statfsSync(mount).bavail * statfsSync(mount).bsize;
        empty();
        const events = await openEventStore(older, {}, []);
        const update = bytesOf(7, 4 << 10);
        await new Promise((resolve) =>
          events.write(
            {
              entries: seqs.map((seq) => entryAt(seq)),
              updates: seqs.map(() => ({ build: "a-0123456789" as BuildId, update })),
              dropped: [],
              durable: true,
            },
            resolve,
          ),
        );
        await events.close();
        fill(slackBytes);
      }
      await (await openEventStore(older, {}, steps)).close();
    },
    async check(_, stored) {
      const odd = readdirSync(mount).filter((name) => name.startsWith("older.migrat"));
      const slackBytes = statfsSync(mount).bavail * statfsSync(mount).bsize;
      empty(); // to open it takes some room
      const events = await openEventStore(older, {}, stored ? steps : []);
      const { entries } = await events.restore();
      await events.close();
      fill(slackBytes);
      if (entries.length < seqs.length) odd.push(`${seqs.length - entries.length} entries are gone`);
      if (existsSync(`${older}.v1`) !== stored) odd.push("the store as it was is not where it should be");
      if (stored)
        for (const name of ["older", "older.v1"]) rmSync(path.join(mount, name), { recursive: true });
      return odd;
    },
  },
  1,
);

// The log of the database is cut at any place: what was answered as written is there, whatever came after.
for (const slackBytes of slacks) {
  const folder = path.join(mount, "timeline");
  const build = "a-0123456789" as BuildId;
  let events = await openEventStore(folder);
  const write = (seq: number, update?: Uint8Array) =>
    new Promise<string>((resolve) =>
      events.write(
        {
          entries: [entryAt(seq)],
          updates: update ? [{ build, update }] : [],
          dropped: [],
          durable: true,
        },
        (error) => resolve(error ? error.code : "stored"),
      ),
    );
  const kept: number[] = [];
  fill(slackBytes);
  let answer = "stored";
  for (let seq = 0; answer === "stored" && seq < 2000; seq++) {
    answer = await write(seq, bytesOf(seq, 32 << 10));
    if (answer === "stored") kept.push(seq);
  }
  empty();
  const after = await write(5000);
  await events.close();
  events = await openEventStore(folder);
  const { entries, ledgers } = await events.restore();
  const found = new Set(entries.map(({ entry }) => entry.seq));
  const torn = [...kept, 5000].filter((seq) => !found.has(seq)).map((seq) => `entry ${seq} is gone`);
  const updates = ledgers.flatMap((ledger) => ledger.updates);
  for (const [n, update] of updates.slice(0, kept.length).entries())
    if (Buffer.compare(update, bytesOf(kept[n]!, 32 << 10)) !== 0) torn.push(`update ${n} is something else`);
  if (updates.length < kept.length) torn.push(`${kept.length - updates.length} updates are gone`);
  await events.close();
  console.log(JSON.stringify({ way: "events", slackBytes, answer, torn, after } satisfies Line));
  await rm(folder, { recursive: true });
}
