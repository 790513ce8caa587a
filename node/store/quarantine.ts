/** What was found damaged on the own disk, moved aside: nothing reads it any more, its owner may look at it and throw it away. */
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";

/** Of all together; the oldest go. */
const filesMax = 1000;
const bytesMax = 256 << 20;

/** Kinds of what may be damaged, as the names of the files begin. */
export type Damaged =
  | "entry"
  | "segment"
  | "update"
  | "record"
  | "results"
  | "history"
  | "table"
  | "recording";

export interface Quarantined {
  readonly what: Damaged;
  readonly file: string;
  readonly atMs: number;
  readonly bytes: number;
}

/** `dir` is made when something is put there. What cannot be put aside is lost: it was damaged anyway. */
export class Quarantine {
  readonly dir: string;
  readonly #hear: (what: Damaged, name: string) => void;
  #work: Promise<unknown> = Promise.resolve();
  #count = 0;

  /** `hear` is told of each as it is put aside. */
  constructor(dir: string, hear: (what: Damaged, name: string) => void = () => {}) {
    this.dir = dir;
    this.#hear = hear;
  }

  /** Keeps the bytes of a value; `name` says where it lay. */
  put(what: Damaged, name: string, bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    this.#hear(what, name);
    this.#then(async () => writeFile(await this.#place(what, name), copy, { mode: 0o600 }));
  }

  /** Moves a file here. Ends when it is. */
  move(what: Damaged, file: string): Promise<void> {
    this.#hear(what, path.basename(file));
    return this.#then(async () => rename(file, await this.#place(what, path.basename(file))));
  }

  /** The oldest first. */
  async list(): Promise<Quarantined[]> {
    await this.#work;
    const names = await readdir(this.dir).catch(() => [] as string[]);
    const found = await Promise.all(
      names.map(async (name): Promise<Quarantined[]> => {
        const file = path.join(this.dir, name);
        const info = await stat(file).catch(() => undefined);
        if (!info) return [];
        return [{ what: name.split("-")[0] as Damaged, file, atMs: info.ctimeMs, bytes: info.size }];
      }),
    );
    return found.flat().sort((a, b) => a.atMs - b.atMs || (a.file < b.file ? -1 : 1));
  }

  #then(work: () => Promise<void>): Promise<void> {
    const done = this.#work.then(work).catch(() => {});
    this.#work = done;
    return done;
  }

  async #place(what: Damaged, name: string): Promise<string> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    if (++this.#count % 100 === 1) await this.#makeRoom();
    const flat = name.replace(/[^A-Za-z0-9._-]+/g, "_").slice(-160);
    return path.join(this.dir, `${what}-${Date.now()}-${this.#count}-${flat}`);
  }

  async #makeRoom(): Promise<void> {
    const names = await readdir(this.dir);
    const files = await Promise.all(
      names.map(async (name) => ({ name, ...(await stat(path.join(this.dir, name))) })),
    );
    files.sort((a, b) => b.ctimeMs - a.ctimeMs);
    let bytes = 0;
    for (const [n, { name, size }] of files.entries()) {
      bytes += size;
      if (n >= filesMax - 100 || bytes > bytesMax)
        await rm(path.join(this.dir, name), { recursive: true, force: true });
    }
  }
}
