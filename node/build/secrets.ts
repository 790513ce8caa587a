/** Secrets that this node's owner gave it: files of its home that only their owner may read. Their names are told, their values never. */
import { lstatSync, readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import path from "node:path";
import { isSecretName, secretBytesMax, secretBytesMin } from "../../protocol/build/secret.ts";
import { byText } from "../../protocol/kernel/ids.ts";

/** Told of to others at most. */
const secretsMax = 64;

export interface Secrets {
  /** Those that actions may be given, sorted. */
  names(): string[];
  /** Files that are none, with why and what to do. */
  unfit(): { name: string; why: string; remedy: string }[];
  /** Where the value lies; undefined when it is not there or unfit. */
  file(name: string): string | undefined;
  /** Undefined when it is not there or unfit. */
  value(name: string): Buffer | undefined;
}

/** Secrets in `dir`, which need not be there. Looked at anew each time: a secret counts as soon as its file is there. */
export function openSecrets(dir: string): Secrets {
  const look = () => {
    const names: string[] = [];
    const unfit: { name: string; why: string; remedy: string }[] = [];
    for (const name of listed(dir)) {
      const file = path.join(dir, name);
      const stats = lstatSync(file, { throwIfNoEntry: false });
      const trouble = stats && troubleOf(name, file, stats);
      if (trouble) unfit.push({ name, ...trouble });
      else if (stats && names.length < secretsMax) names.push(name);
    }
    return { names, unfit };
  };
  const file = (name: string) => (look().names.includes(name) ? path.join(dir, name) : undefined);
  return {
    names: () => look().names,
    unfit: () => look().unfit,
    file,
    value(name) {
      const found = file(name);
      return found === undefined ? undefined : readFileSync(found);
    },
  };
}

function listed(dir: string): string[] {
  try {
    return readdirSync(dir).sort(byText);
  } catch {
    return []; // nobody gave any
  }
}

function troubleOf(name: string, file: string, stats: Stats): { why: string; remedy: string } | undefined {
  const remedy = `give it anew: swarmd secret set ${isSecretName(name) ? name : "NAME"}`;
  if (!isSecretName(name))
    return { why: "has no name that a spec can say", remedy: `remove ${file}, or rename it` };
  if (!stats.isFile()) return { why: "is no regular file", remedy };
  if ((stats.mode & 0o077) !== 0) return { why: "may be read by others", remedy: `chmod 600 ${file}` };
  if (stats.uid !== ownerFor(path.dirname(file))) return { why: "belongs to another user", remedy };
  if (stats.size < secretBytesMin)
    return { why: `has fewer than ${secretBytesMin} bytes, too few to keep them out of logs`, remedy };
  if (stats.size > secretBytesMax) return { why: `has more than ${secretBytesMax} bytes`, remedy };
  return undefined;
}

/** Whose the values must be: this user's, and where root looks at the home of a service, the service's. */
function ownerFor(dir: string): number | undefined {
  const self = process.geteuid?.();
  return self === 0 ? statSync(dir).uid : self;
}
