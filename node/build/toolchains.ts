/**
 * What this node can build with, kept true while the daemon runs: tools with a fingerprint each, looked at again and again, and once more
 * before each run. Answers are kept in a file beside the stamps of what they depend on, so that a start asks only what is new.
 */
import { z } from "zod";
import { offerText, readOffer, serves } from "../../protocol/build/toolchain.ts";
import { byText } from "../../protocol/kernel/ids.ts";
import { readSmallFile, writeFileAtomic } from "../files.ts";
import type { Log } from "../log.ts";
import { type Every, everyByTimer } from "../rounds.ts";
import { type Answer, type Answers, probeTarget, probeTool } from "./probe.ts";
import { changedAmong, type ExactFiles, type FileState, readExact, stampOf, stampsOf } from "./tool-files.ts";
import { type DeclaredTools, findTools, prefixesOf, type Tool, toolFolders } from "./tool-names.ts";

const parallelMax = 4;
const cacheBytesMax = 32 << 20;
/** Of the form of the cache: answers of another are asked for again. */
const cacheVersion = 3;
const pollMsDefault = 10_000;
/** Files that were read in an earlier start are looked at again once this one has done what is more urgent. */
const exactAfterMs = 20_000;
/** Files beyond those that programs start from change rarely, and there are thousands. */
const exactEveryMs = 60_000;
/** Of thousands of files of an exact toolchain nobody looks twice within this. */
const exactTrustMs = 1000;
/** Their change means that what the machine runs under a name may be another program. */
const systemFiles = ["/etc/alternatives", "/etc/ld.so.cache"];

const cacheSchema = z.object({
  version: z.literal(cacheVersion),
  answers: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      target: z.string().optional(),
      said: z.string(),
      stamps: z.record(z.string(), z.string()),
    }),
  ),
  files: z.record(z.string(), z.object({ stamp: z.string(), sha256: z.string() })),
  exact: z.array(z.string()),
});
type Cache = z.infer<typeof cacheSchema>;
type Kept = Cache["answers"][string];

export interface ToolchainOptions {
  /** Keeps answers between starts; absent: every tool is asked. */
  readonly cacheFile?: string;
  readonly declared?: DeclaredTools;
  readonly log?: Pick<Log, "info" | "warn">;
  /** Between looks at what there is. */
  readonly pollMs?: number;
  /** What calls for the next look; absent: a timer. */
  readonly every?: Every;
}

/** What an action needs of the machine for its toolchains, beside what every action has. */
export interface ToolRoom {
  /** Folders that must be seen, each at its own path. */
  readonly prefixes: readonly string[];
}

export interface Toolchains {
  /** What the node builds for without a cross compiler; empty before the first look. */
  readonly target: string;
  /** Name → fingerprint, sorted by name; none before the first look. Another object when something changed. */
  readonly offers: Readonly<Record<string, string>>;
  /** Called after each change from what the first look found. Returns how to stop it. */
  watch(changed: () => void): () => void;
  /** Looks at once whether these are still what is there: why not, or undefined. */
  check(pins: Readonly<Record<string, string>>): Promise<string | undefined>;
  roomFor(names: Iterable<string>): ToolRoom;
  /** Of all declared toolchains. */
  readonly prefixes: readonly string[];
  /** Looks at everything now. Resolves when it is known. */
  look(): Promise<void>;
  /** Somebody wants exact fingerprints of these: their files are read now, and from then on. Names that are no tools here are passed over. */
  readFiles(names: Iterable<string>): Promise<void>;
  stop(): void;
}

interface Known {
  readonly tool: Tool;
  readonly kept: Kept;
  exact?: ExactFiles;
  exactSeenMs?: number;
}

/** Every tool is asked once, at the first look; one that does not answer is left out. */
export function createToolchains(options: ToolchainOptions = {}): Toolchains {
  const { cacheFile, log } = options;
  const declared = options.declared ?? {};
  const answers = new Map<string, Kept>();
  const files = new Map<string, FileState>();
  let target = "";
  let tools = new Map<string, Known>();
  let offers: Readonly<Record<string, string>> = {};
  let glance = "";
  let written = "";
  let stopped = false;
  /** The first look is over. */
  let isKnown = false;
  let reading: Promise<void> | undefined;
  /** Tools whose exact fingerprints were asked for once. */
  const exact = new Set<string>();
  const watchers = new Set<() => void>();

  const remember = async (): Promise<void> => {
    const cache = await readCache(cacheFile);
    for (const [key, kept] of Object.entries(cache.answers)) answers.set(key, kept);
    for (const [file, state] of Object.entries(cache.files)) files.set(file, state);
    for (const name of cache.exact) exact.add(name);
    target = await probeTarget();
  };

  /** What has to change for another tool to be there: cheap enough to look at every few seconds. */
  const lookAround = (): string => {
    const paths = new Set([...toolFolders(declared), ...systemFiles]);
    for (const { kept } of tools.values()) for (const file of Object.keys(kept.stamps)) paths.add(file);
    return stampsOf(paths).join("\n");
  };

  const unchanged = async ({ stamps }: Kept): Promise<boolean> => {
    const list = Object.entries(stamps);
    const found = await Promise.all(list.map(([file]) => stampOf(file)));
    return list.every(([, stamp], i) => found[i] === stamp);
  };

  const answerOf = async (tool: Tool, said: Answers): Promise<Kept | undefined> => {
    const key = JSON.stringify([tool.name, tool.file, tool.flags, tool.version ?? [], target]);
    const before = answers.get(key);
    if (before && (await unchanged(before))) return before;
    const answer = await probeTool(tool, target, said);
    const kept = answer && (await keep(answer));
    if (kept) answers.set(key, kept);
    else answers.delete(key);
    return kept;
  };

  const refresh = async (): Promise<void> => {
    if (!isKnown) await remember();
    const found = new Map<string, Known>();
    const queue = findTools(declared);
    const said: Answers = new Map();
    const next = async (): Promise<void> => {
      for (let tool = queue.shift(); tool !== undefined; tool = queue.shift()) {
        const kept = await answerOf(tool, said);
        if (!kept) continue;
        const before = tools.get(tool.name);
        const same = before?.kept === kept;
        found.set(tool.name, {
          tool,
          kept,
          ...(same && before.exact ? { exact: before.exact, exactSeenMs: before.exactSeenMs } : {}),
        });
      }
    };
    await Promise.all(Array.from({ length: parallelMax }, next));
    tools = found;
    tell();
    isKnown = true;
    await writeCache();
    glance = lookAround();
  };

  /** Puts the offers together, and says what is another than before. */
  const tell = () => {
    const list = [...tools].map(([name, { kept, exact }]): [string, string] => [
      name,
      offerText({ ...kept, exact: exact?.exact }),
    ]);
    const fresh = Object.fromEntries(list.sort(([a], [b]) => byText(a, b)));
    const changed = [...new Set([...Object.keys(offers), ...Object.keys(fresh)])].filter(
      (name) => offers[name] !== fresh[name],
    );
    if (changed.length === 0) return;
    const said = changed.filter((name) => !serves(fresh[name], readSaid(offers[name])));
    if (isKnown && said.length > 0)
      log?.info(
        { tools: said.map((name) => changeText(name, offers[name], fresh[name])) },
        "toolchains changed",
      );
    offers = fresh;
    if (!isKnown) return;
    for (const watcher of watchers)
      try {
        watcher();
      } catch (error) {
        // what is offered is known all the same; who cannot follow, with a full disk perhaps, is to say so where it matters
        log?.warn({ err: String(error) }, "not all that follows from other toolchains could be done");
      }
  };

  const writeCache = async (): Promise<void> => {
    if (cacheFile === undefined || stopped) return;
    const cache: Cache = {
      version: cacheVersion,
      answers: Object.fromEntries(answers),
      files: Object.fromEntries(
        [...files].flatMap(([file, { stamp, sha256 }]) => (sha256 ? [[file, { stamp, sha256 }]] : [])),
      ),
      exact: [...exact].sort(byText),
    };
    const text = JSON.stringify(cache);
    if (text === written) return;
    written = text;
    // Losing it costs a second of asking.
    await writeFileAtomic(cacheFile, text).catch(() => {});
  };

  const readAll = async (): Promise<void> => {
    const fresh = new Map<string, FileState>();
    for (const name of [...exact].sort(byText)) {
      const known = tools.get(name);
      if (stopped) return;
      if (!known) continue;
      const nowMs = performance.now();
      const same = known.exact && (await changedAmong(known.exact.states)) === undefined;
      if (!same)
        known.exact = await readExact(
          known.tool,
          known.kept.said,
          (file) => fresh.get(file) ?? files.get(file),
        ).catch(() => undefined);
      known.exactSeenMs = nowMs;
      for (const [file, state] of known.exact?.states ?? []) fresh.set(file, state);
      if (!known.exact)
        log?.warn({ tool: name }, "its files cannot be read: no exact fingerprint is offered");
    }
    files.clear();
    for (const [file, state] of fresh) files.set(file, state);
    tell();
    await writeCache();
  };

  /** One at a time; who asks while it goes on gets a round of his own. */
  const readFiles = async (names: Iterable<string>): Promise<void> => {
    for (const name of names) if (tools.has(name)) exact.add(name);
    if (exact.size === 0) return;
    const before = reading;
    const mine = (async () => {
      await before;
      await readAll();
    })();
    reading = mine;
    await mine;
    if (reading === mine) reading = undefined;
  };

  let looking: Promise<void> | undefined;
  const look = (): Promise<void> => {
    looking ??= (async () => {
      if (lookAround() !== glance) {
        const wasKnown = isKnown;
        await refresh();
        // a start has more urgent things to do: exactAfterMs
        if (wasKnown) await readFiles([]);
      }
    })()
      .catch((error: unknown) => log?.warn({ err: String(error) }, "toolchains cannot be looked at"))
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };

  const differs = async (name: string, pin: string): Promise<string | undefined> => {
    const known = tools.get(name);
    if (!known) return `${name} is not there any more`;
    if (!(await unchanged(known.kept))) return `${name} is being replaced`;
    if (!serves(offers[name], pin)) return changeText(name, pin, offers[name]);
    if (readOffer(pin).exact === undefined || !known.exact) return undefined;
    if (performance.now() - (known.exactSeenMs ?? 0) < exactTrustMs) return undefined;
    const changed = await changedAmong(known.exact.states);
    if (changed !== undefined) {
      known.exact = undefined;
      tell();
      void readFiles([]);
      return `${changed} of ${name} has changed`;
    }
    known.exactSeenMs = performance.now();
    return undefined;
  };

  const stopLooking = (options.every ?? everyByTimer)(options.pollMs ?? pollMsDefault, () => void look());
  const timers = [setTimeout(() => void readFiles([]), exactAfterMs)];
  timers.push(setInterval(() => void readFiles([]), exactEveryMs));
  for (const timer of timers) timer.unref();

  return {
    get target() {
      return target;
    },
    get offers() {
      return offers;
    },
    watch(changed) {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    async check(pins) {
      const wanted = Object.entries(pins);
      const troubles = () => Promise.all(wanted.map(([name, pin]) => differs(name, pin)));
      if ((await troubles()).every((trouble) => trouble === undefined)) return undefined;
      // It may have been replaced by what is pinned: only the second look counts.
      glance = "";
      await look();
      return (await troubles()).find((trouble) => trouble !== undefined);
    },
    roomFor(names) {
      const prefixes = new Set<string>();
      for (const name of names) {
        const prefix = tools.get(name)?.tool.prefix;
        if (prefix !== undefined) prefixes.add(prefix);
      }
      return { prefixes: [...prefixes] };
    },
    prefixes: prefixesOf(declared),
    look,
    async readFiles(names) {
      if (!isKnown) await look();
      await readFiles(names);
    },
    stop() {
      stopped = true;
      stopLooking();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** An answer with the stamps of the files it depends on. */
async function keep({ files, ...answer }: Answer): Promise<Kept> {
  const stamps: Record<string, string> = {};
  for (const file of files) stamps[file] = (await stampOf(file)) ?? "";
  return { ...answer, stamps };
}

/** What a fingerprint says without the files' part. */
function readSaid(fingerprint: string | undefined): string {
  if (fingerprint === undefined) return "";
  const { exact: _, ...offer } = readOffer(fingerprint);
  return offerText(offer);
}

/** `gcc 12.2.0 → 13.1.0`; where versions are alike, by fingerprints. */
function changeText(name: string, before: string | undefined, after: string | undefined): string {
  const words = (fingerprint: string | undefined) => {
    if (fingerprint === undefined) return "none";
    const { version, said } = readOffer(fingerprint);
    return `${version ?? ""} [${said.slice(0, 8)}]`.trim();
  };
  return `${name} ${words(before)} → ${words(after)}`;
}

async function readCache(file: string | undefined): Promise<Cache> {
  const none: Cache = { version: cacheVersion, answers: {}, files: {}, exact: [] };
  if (file === undefined) return none;
  try {
    return cacheSchema.parse(JSON.parse((await readSmallFile(file, cacheBytesMax)) ?? ""));
  } catch {
    return none; // a damaged cache costs a second of asking
  }
}
