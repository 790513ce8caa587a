/**
 * The format of the event store, and how a store of an older one is brought up: once, in a copy beside it that takes its place when it is
 * whole. The store as it was stays as `<folder>.v<format>`. There is no way backwards but that.
 */
import { cp, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { syncFolder } from "../files.ts";
import { version as program } from "../version.ts";
import { summed } from "./checked.ts";
import {
  folderMark,
  historyPlace,
  versionPlace,
  votesIn,
  votesPlace,
  votesRecord,
  writerPlace,
} from "./places.ts";

/** What a migration may do with the store. */
export interface Records {
  iterator(range: { readonly gte: string; readonly lt: string }): AsyncIterable<[string, Uint8Array]>;
  batch(
    changes: (
      | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
      | { readonly type: "del"; readonly key: string }
    )[],
  ): Promise<void>;
}

/** The database that a store is. */
interface Database extends Records {
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, value: Uint8Array, options: { readonly sync: boolean }): Promise<void>;
}

/** The step from one format to the next. It works on a copy, which is thrown away unless the step comes to its end. */
export interface Migration {
  /** What it does, for the log. */
  readonly what: string;
  run(records: Records): Promise<void>;
}

/** A store had an older format and was brought up just now; as it was it lies in `backup`. */
export interface Migrated {
  readonly from: number;
  readonly to: number;
  readonly what: readonly string[];
  readonly backup: string;
}

const firstFormat = 1;

/** Values are kept with a sum at their end. */
const sums: Migration = {
  what: "values are kept with a sum, so that damage is found",
  async run(records) {
    for (const shelf of ["a", "b", "e", "r", "u"])
      for await (const [key, value] of records.iterator({ gte: `${shelf}/`, lt: `${shelf}0` }))
        await records.batch([{ type: "put", key, value: summed(value) }]);
    for await (const [key, value] of records.iterator({ gte: historyPlace, lt: `${historyPlace}!` }))
      await records.batch([{ type: "put", key, value: summed(value) }]);
  },
};

/** The n-th leads from format n to n + 1: a step is added at the end, none is ever changed or taken out. */
export const migrations: readonly Migration[] = [sums];

const backupOf = (folder: string, format: number) => `${folder}.v${format}`;
const draftOf = (folder: string) => `${folder}.migrating`;
/** A draft that came to its end. */
const wholeOf = (folder: string) => `${folder}.migrated`;

/**
 * Opens the store in `folder` (made, if there is none) in the format that `steps` lead to, brought up if it has an older one. Throws
 * `store-newer` for a format beyond it, `home-invalid` where the steps fail: the store is as it was then.
 */
export async function openBroughtUp<D extends Database>(
  folder: string,
  databaseIn: (folder: string) => D,
  steps: readonly Migration[],
): Promise<{ database: D; migrated: Migrated | undefined }> {
  await finishExchange(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const to = firstFormat + steps.length;
  const database = databaseIn(folder);
  const from = await closedOnFailure(database, async () => {
    const format = await formatOf(database, folder, to);
    if (format === to) await sign(database, to);
    return format;
  });
  if (from === to) return { database, migrated: undefined };
  await database.close();
  const lacking = steps.slice(from - firstFormat);
  await migrateCopy(folder, databaseIn, lacking, to);
  await retireVotes(folder, databaseIn);
  const backup = backupOf(folder, from);
  await rm(backup, { recursive: true, force: true });
  await rename(folder, backup);
  await finishExchange(folder);
  const newest = databaseIn(folder);
  await closedOnFailure(newest, async () => {});
  return { database: newest, migrated: { from, to, what: lacking.map(({ what }) => what), backup } };
}

/** What takes the store's place is whole afterwards, or nothing is there. */
async function migrateCopy(
  folder: string,
  databaseIn: (folder: string) => Database,
  steps: readonly Migration[],
  to: number,
): Promise<void> {
  try {
    const copy = databaseIn(await copyStore(folder));
    await closedOnFailure(copy, async () => {
      for (const step of steps) await step.run(copy);
      const { log, madeIn } = votesIn(await copy.get(votesPlace));
      // it is still the same log, with every vote in it
      if (log !== undefined && madeIn === (await folderMark(folder)))
        await copy.put(votesPlace, votesRecord(log, await folderMark(draftOf(folder))), { sync: true });
      await sign(copy, to);
    });
    await copy.close();
    await rename(draftOf(folder), wholeOf(folder));
    await syncFolder(path.dirname(folder));
  } catch (cause) {
    await rm(draftOf(folder), { recursive: true, force: true });
    const why = cause instanceof Error ? cause.message : String(cause);
    if (/no space left|quota exceeded/i.test(why)) throw cause;
    throw new SwarmError(
      "home-invalid",
      `the event store in ${folder} cannot be brought to format ${to}: ${why}; it is as it was`,
      { remedy: "go on with the version of swarmd that wrote it, and report this", cause },
    );
  }
}

/** From here on votes are written elsewhere: whoever goes back to this store must not vote under the old name any more. */
async function retireVotes(folder: string, databaseIn: (folder: string) => Database): Promise<void> {
  const old = databaseIn(folder);
  await closedOnFailure(old, async () => {
    const { log } = votesIn(await old.get(votesPlace));
    if (log !== undefined) await old.put(votesPlace, votesRecord(log, "retired"), { sync: true });
  });
  await old.close();
}

/** Opens it for the work, and leaves it open. */
async function closedOnFailure<T>(database: Database, work: () => Promise<T>): Promise<T> {
  try {
    await database.open();
    return await work();
  } catch (error) {
    await database.close();
    throw error;
  }
}

const textOf = (value: Uint8Array) => Buffer.from(value).toString("latin1").slice(0, 64);

/** The format of a store; a new one has that which this program writes. */
async function formatOf(store: Database, folder: string, known: number): Promise<number> {
  const found = await store.get(versionPlace);
  if (found === undefined) return known;
  const format = Number(textOf(found));
  if (!Number.isSafeInteger(format) || format < firstFormat)
    throw new SwarmError("home-invalid", `the event store in ${folder} has no format that can be read`, {
      remedy: "move that folder away; what it held comes back from the other members",
    });
  if (format <= known) return format;
  const writer = await store.get(writerPlace);
  throw new SwarmError(
    "store-newer",
    `${folder} has format ${format}${writer ? `, written by swarmd ${textOf(writer)}` : ""}; this is swarmd ${program}, which knows formats up to ${known}`,
    { remedy: await wayBack(folder, known) },
  );
}

/** What to do about a store that is too new: what was set aside when it was brought up may still be there. */
async function wayBack(folder: string, known: number): Promise<string> {
  const newer = "run the version of swarmd that wrote it, or a newer one";
  const backup = backupOf(folder, known);
  return (await isThere(backup))
    ? `${newer}; or go back to how it was before, what was said since comes back from the other members: mv ${folder} ${folder}.newer && mv ${backup} ${folder}`
    : newer;
}

/** Notes the format, and which program knows it, for older ones to name. */
async function sign(store: Database, format: number): Promise<void> {
  for (const [place, said] of [
    [writerPlace, program],
    [versionPlace, String(format)],
  ] as const) {
    const noted = await store.get(place);
    if (noted === undefined || textOf(noted) !== said)
      await store.put(place, Buffer.from(said), { sync: true });
  }
}

/** A whole copy of a closed store, on the disk for good; what an earlier attempt left is thrown away. */
async function copyStore(folder: string): Promise<string> {
  const draft = draftOf(folder);
  for (const left of [draft, wholeOf(folder)]) await rm(left, { recursive: true, force: true });
  await cp(folder, draft, { recursive: true });
  for (const file of await readdir(draft)) {
    const handle = await open(path.join(draft, file), "r");
    await handle.sync().finally(() => handle.close());
  }
  return draft;
}

/** Puts the whole copy where the store is away, also when an exchange broke off between its two renames. An empty folder is no store. */
async function finishExchange(folder: string): Promise<void> {
  if ((await isThere(path.join(folder, "CURRENT"))) || !(await isThere(wholeOf(folder)))) return;
  await rename(wholeOf(folder), folder);
  await syncFolder(path.dirname(folder));
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
