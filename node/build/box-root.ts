/**
 * What is bound as the root of every box: a skeleton of folders, links and the few files of the system that lie beside /usr. One mount instead of a dozen, each of
 * which costs a start 0.1 ms. It stays over restarts of the daemon, until the machine starts anew or the system is another: hundreds of links are not written each time.
 */
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { byText } from "../../protocol/kernel/ids.ts";
import { stampsOf } from "./tool-files.ts";

/** Of the form of the skeleton: one of another is laid anew. */
const form = 1;

/** Parts of the system that a compiler needs beside /usr. On a merged /usr these are links, else folders of their own. */
const systemFolders = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/** Copied: small, and what they lead to lies below /usr. */
const systemFiles = ["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"];

/** What lies below these is in the box anyway. */
export const hasPlace = (prefix: string): boolean =>
  /^\/(usr|bin|sbin|lib|lib32|lib64|libx32)\//.test(prefix);

export class BoxRoot {
  /** The system's folders that are no links, to be bound each. */
  readonly ownFolders: readonly string[];
  private readonly dir: string;
  /** Folders that must have a place in it. */
  private readonly prefixes: readonly string[];
  /** Beside it, for all that lies in it shows in boxes: what it was made of. Not there while it is being made. */
  private readonly stampFile: string;

  /** `dir` (absolute) is its own. */
  constructor(dir: string, prefixes: readonly string[]) {
    this.dir = dir;
    this.prefixes = prefixes.filter((prefix) => !hasPlace(prefix));
    this.stampFile = `${dir}.made`;
    this.ownFolders = systemFolders.filter((name) => kindOf(name) === "folder");
  }

  /** Whether it lies there as it would be laid now. */
  isLaid(): boolean {
    try {
      return readFileSync(this.stampFile, "utf8") === this.stamp();
    } catch {
      return false;
    }
  }

  lay(): void {
    const { dir } = this;
    rmSync(this.stampFile, { force: true });
    rmSync(dir, { recursive: true, force: true });
    for (const folder of ["usr", "proc", "dev", "tmp", "etc", "work", "var", "run/secrets"])
      mkdirSync(path.join(dir, folder), { recursive: true });
    for (const name of systemFolders) {
      const kind = kindOf(name);
      if (kind === "link") symlinkSync(`usr/${name}`, path.join(dir, name));
      else if (kind === "folder") mkdirSync(path.join(dir, name));
    }
    for (const prefix of this.prefixes) mkdirSync(path.join(dir, prefix), { recursive: true });
    writeFileSync(path.join(dir, "etc/passwd"), "nobody:x:65534:65534:nobody:/tmp:/bin/sh\n");
    writeFileSync(path.join(dir, "etc/group"), "nogroup:x:65534:\n");
    writeFileSync(path.join(dir, "etc/hosts"), "127.0.0.1 localhost\n");
    for (const device of ["null", "zero", "urandom"]) writeFileSync(path.join(dir, "dev", device), "");
    const links = {
      random: "urandom",
      fd: "/proc/self/fd",
      stdin: "fd/0",
      stdout: "fd/1",
      stderr: "fd/2",
      shm: "/tmp",
    };
    for (const [name, target] of Object.entries(links)) symlinkSync(target, path.join(dir, "dev", name));
    this.copySystem();
  }

  /** Each file beside its place, then there by a rename: a box that starts meanwhile sees the old or the new. */
  copySystem(): void {
    rmSync(this.stampFile, { force: true });
    // Before it is read: a change meanwhile makes it another.
    const stamp = this.stamp();
    const fresh = path.join(this.dir, "etc", ".fresh");
    const old = path.join(this.dir, "etc", ".old");
    for (const name of systemFiles) {
      if (!lstatSync(`/etc/${name}`, { throwIfNoEntry: false })) continue;
      const place = path.join(this.dir, "etc", name);
      for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
      cpSync(`/etc/${name}`, fresh, { recursive: true, verbatimSymlinks: true });
      if (lstatSync(place, { throwIfNoEntry: false })) renameSync(place, old);
      renameSync(fresh, place);
      rmSync(old, { recursive: true, force: true });
    }
    writeFileSync(this.stampFile, stamp);
  }

  private stamp(): string {
    // Links are changed by a rename, which their folder shows; files in one's folder also where they lie. Another version may have laid its own.
    const system = systemFiles.flatMap((name) => [`/etc/${name}`, ...filesIn(`/etc/${name}`)]);
    const files = [this.dir, ...system];
    const stamps = stampsOf(files).map((stamp, at) => `${files[at]} ${stamp}`);
    return JSON.stringify([form, thisBoot(), systemFolders.map(kindOf), this.prefixes, stamps]);
  }
}

function kindOf(systemFolder: string): "link" | "folder" | undefined {
  const found = lstatSync(`/${systemFolder}`, { throwIfNoEntry: false });
  return found?.isSymbolicLink() ? "link" : found?.isDirectory() ? "folder" : undefined;
}

/** What was written shortly before a power cut may be there in part. A machine that does not name its starts counts as new with each daemon. */
function thisBoot(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return `daemon ${performance.timeOrigin}`;
  }
}

/** Those that are no links. */
function filesIn(folder: string): string[] {
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const inside = readdirSync(folder, { withFileTypes: true }).filter((one) => one.isFile());
  return inside.map((one) => path.join(folder, one.name)).sort(byText);
}
