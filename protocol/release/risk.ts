/**
 * Judges what is to be released: a score from 0 to 100 that is the sum of parts, each with what it found and where. Ten or more refuse a release,
 * unless somebody says why it is right all the same. Rules in specs/verify.md.
 */

import type { OddFile, PackageContent } from "../build/content.ts";
import type { ElfFacts } from "../build/elf.ts";
import type { Risk, RiskKind, RiskPart, RiskPolicy } from "../build/verdict.ts";
import { type BuildId, byText, type PeerId } from "../kernel/ids.ts";
import type { Dispute } from "./staging.ts";
import { isaLevelOf, kindredOf, machineOf } from "./targets.ts";

/** An artifact that is to be released, and what is known of it. */
export interface Candidate {
  readonly path: string;
  readonly sizeBytes: number;
  /** The epoch before holds the same at this place. */
  readonly known?: true;
  /** What it is built for; absent for what runs anywhere. */
  readonly target?: string;
  /** Absent for what is neither a package nor an ELF file. */
  readonly content?: PackageContent;
  /** Members whose result is this one; absent where nobody said. */
  readonly builders?: readonly PeerId[];
  /** Members whose result for the same action is another. */
  readonly dissenters: readonly PeerId[];
  /** Builders whose word counts no longer: no members, revoked, tainted. */
  readonly doubted: readonly PeerId[];
  /** How it is signed, for formats whose packages are. */
  readonly signature?: "good" | "none";
  /** The same path in the epoch before. */
  readonly before?: { readonly sizeBytes: number; readonly odd: readonly OddFile[] };
}

/** Something that should have been among the artifacts, or was refused by its format. */
export interface Lack {
  readonly name: string;
  readonly why: "failed" | "missing" | "refused";
  readonly detail?: string;
  readonly remedy?: string;
}

export interface RiskFacts {
  readonly candidates: readonly Candidate[];
  readonly lacks: readonly Lack[];
  /** What checks by rebuilding came to otherwise, of the builds that bring something. */
  readonly disputes?: readonly (Dispute & { readonly build: BuildId })[];
  /** Packages of the epoch before that go. */
  readonly gone?: readonly PackageContent[];
  readonly policy: RiskPolicy;
}

/** Points of one finding, and the most that all findings of its kind add up to. */
const weights: Readonly<Record<RiskKind, readonly [each: number, most: number]>> = {
  failed: [40, 100],
  missing: [40, 100],
  refused: [20, 100],
  divergent: [30, 100],
  "rebuilt-otherwise": [30, 100],
  "doubted-builder": [50, 100],
  "too-few-builders": [10, 30],
  unsigned: [10, 20],
  "wrong-machine": [40, 100],
  "wrong-flags": [25, 50],
  "wrong-interpreter": [20, 50],
  "isa-level": [25, 50],
  "soname-missing": [15, 60],
  "search-path": [10, 20],
  "executable-stack": [5, 10],
  "text-relocations": [3, 6],
  "set-uid": [10, 40],
  "set-gid": [5, 20],
  "world-writable": [10, 30],
  "absolute-link": [1, 5],
  "broken-elf": [5, 20],
  "size-jump": [4, 12],
  "target-unknown": [2, 8],
};

/** From here on nobody releases it without a reason. */
export const refusedFrom = 10;
const findingsMax = 20;
/** A file that grew or shrank by this factor, and by more than these bytes, is looked at. */
const jumpFactor = 2;
const jumpFreeBytes = 64 << 10;

const remedies: Readonly<Record<RiskKind, string>> = {
  failed: "see why: swarmd logs ACTION; then build it again: swarmd retry BUILD",
  missing: "wait for the build, or drop it from staging",
  refused: "build the package again as it says",
  divergent: "find out whose is right, taint the other: swarmd taint --node N --since T",
  "rebuilt-otherwise":
    "see where it differs: swarmd rebuild-check CHECK; build it again without what is left to chance, or taint whoever is wrong: swarmd taint --node N --since T",
  "doubted-builder": "build it again on a member that is trusted",
  "too-few-builders": "build it once more elsewhere, or ask for one builder in the policy",
  unsigned: "configure a signing key",
  "wrong-machine":
    "look at the toolchain of its action; say in the policy where files of other machines may lie",
  "wrong-flags": "look at the toolchain of its action: float ABI and ABI version",
  "wrong-interpreter": "link it against the target's own libc",
  "isa-level": "build it with the -march of the target",
  "soname-missing": "release the library too, or name it in the policy's base",
  "search-path": "link it without a path of the machine that built it",
  "executable-stack": "mark its assembly: .note.GNU-stack",
  "text-relocations": "build it with -fPIC",
  "set-uid": "look at it; once it was released it is known",
  "set-gid": "look at it; once it was released it is known",
  "world-writable": "take the right to write away",
  "absolute-link": "make it relative",
  "broken-elf": "build it again",
  "size-jump": "look at what changed: swarmd releases diff",
  "target-unknown": "name a target that is known: x86_64, i686, aarch64, armv7hf, riscv64, ppc64le, s390x",
};

/** The same for the same facts, in any order of them. */
export function riskOf({ candidates, lacks, disputes = [], gone = [], policy }: RiskFacts): Risk {
  const findings = new Map<RiskKind, { where: string; what: string }[]>();
  const note: Note = (kind, where, what) => {
    const list = findings.get(kind) ?? [];
    if (list.length === 0) findings.set(kind, list);
    list.push({ where, what });
  };
  for (const { name, why, detail } of lacks) note(why, name, detail ?? `it is ${why}`);
  for (const { build, check, action, nodes } of disputes)
    note(
      "rebuilt-otherwise",
      `${build} ${action}`,
      `${counted(nodes.length, "member")} came to something else in ${check}`,
    );
  const provided = sonamesOf(candidates.map(({ content }) => content));
  const lost = sonamesOf(gone);
  const base = new Set(policy.base);
  const has = (sonames: ReadonlySet<string>, elf: ElfFacts, soname: string) =>
    sonames.has(`${kindredOf(elf)} ${soname}`);
  for (const candidate of candidates) {
    judgeOrigin(candidate, policy, note);
    if (candidate.known) {
      for (const { path, elf } of candidate.content?.elves ?? [])
        for (const soname of elf.needed)
          if (has(lost, elf, soname) && !has(provided, elf, soname) && !base.has(soname))
            note("soname-missing", `${candidate.path}: ${path}`, `needs ${soname}, which goes`);
      continue;
    }
    judgeSize(candidate, note);
    judgeOdd(candidate, note);
    judgeElves(candidate, policy, note, (elf, soname) => base.has(soname) || has(provided, elf, soname));
  }
  const parts = [...findings].map(([kind, list]): RiskPart => {
    const [each, most] = weights[kind];
    const sorted = list.sort((a, b) => byText(a.where, b.where) || byText(a.what, b.what));
    return {
      kind,
      points: Math.min(most, each * list.length),
      count: list.length,
      findings: sorted.slice(0, findingsMax),
      remedy: remedies[kind],
    };
  });
  parts.sort((a, b) => b.points - a.points || byText(a.kind, b.kind));
  const score = Math.min(
    100,
    parts.reduce((sum, { points }) => sum + points, 0),
  );
  return { score, refuses: score >= refusedFrom, parts };
}

/** The libraries in these, each with the kind of programs it serves. */
function sonamesOf(contents: readonly (PackageContent | undefined)[]): ReadonlySet<string> {
  const sonames = new Set<string>();
  for (const content of contents)
    for (const { path, elf } of content?.elves ?? [])
      if (elf.kind === "shared")
        sonames.add(`${kindredOf(elf)} ${elf.soname ?? path.slice(path.lastIndexOf("/") + 1)}`);
  return sonames;
}

type Note = (kind: RiskKind, where: string, what: string) => void;

function judgeOrigin(candidate: Candidate, policy: RiskPolicy, note: Note): void {
  const { path, builders, dissenters, doubted, signature } = candidate;
  for (const peer of doubted) note("doubted-builder", path, `built by ${peer}, whose word does not count`);
  if (candidate.known) return;
  if (dissenters.length > 0)
    note("divergent", path, `${counted(dissenters.length, "member")} built something else`);
  const distinct = new Set(builders?.filter((peer) => !doubted.includes(peer))).size;
  if (builders && distinct < policy.builders)
    note("too-few-builders", path, `${counted(distinct, "member")} built it, ${policy.builders} are wanted`);
  if (policy.signed && signature === "none") note("unsigned", path, "it is not signed");
}

function judgeSize({ path, sizeBytes, before }: Candidate, note: Note): void {
  if (!before) return;
  const [small, large] = [Math.min(sizeBytes, before.sizeBytes), Math.max(sizeBytes, before.sizeBytes)];
  if (large - small > jumpFreeBytes && large > small * jumpFactor)
    note("size-jump", path, `${before.sizeBytes} bytes before, ${sizeBytes} now`);
}

/** What was released before is known, and counts no more. */
function judgeOdd({ path, content, before }: Candidate, note: Note): void {
  const known = new Set(before?.odd.map((odd) => `${odd.what} ${odd.path}`));
  for (const { path: inside, what, detail } of content?.odd ?? [])
    if (!known.has(`${what} ${inside}`)) note(what, `${path}: ${inside}`, detail ?? what.replace("-", " "));
}

function judgeElves(
  { path, target, content }: Candidate,
  policy: RiskPolicy,
  note: Note,
  satisfied: (elf: ElfFacts, soname: string) => boolean,
): void {
  const elves = (content?.elves ?? []).filter(
    ({ path: inside }) => !policy.foreign.some((folder) => inside.startsWith(folder)),
  );
  if (elves.length === 0) return;
  const machine = target === undefined ? undefined : machineOf(target);
  if (!machine || target === undefined)
    note(
      "target-unknown",
      path,
      target === undefined ? "its target is not said" : `nothing is known of ${target}`,
    );
  for (const { path: inside, elf } of elves) {
    const where = `${path}: ${inside}`;
    if (machine && target !== undefined) {
      if (elf.machine !== machine.machine || elf.bits !== machine.bits || elf.endian !== machine.endian) {
        note(
          "wrong-machine",
          where,
          `machine ${elf.machine}, ${elf.bits} bits, ${elf.endian} endian, not ${machine.name}`,
        );
        continue;
      }
      const flags = machine.flags?.(elf.flags, elf.kind);
      if (flags !== undefined) note("wrong-flags", where, flags);
      if (elf.interpreter !== undefined && !machine.interpreters.includes(elf.interpreter))
        note("wrong-interpreter", where, elf.interpreter);
      if (elf.isaLevel !== undefined && elf.isaLevel > isaLevelOf(target))
        note("isa-level", where, `it needs x86-64-v${elf.isaLevel}, the target has v${isaLevelOf(target)}`);
    }
    for (const soname of elf.needed)
      if (!satisfied(elf, soname))
        note("soname-missing", where, `needs ${soname}, which nothing here provides`);
    for (const folder of elf.searched)
      if (isForeignFolder(folder))
        note("search-path", where, `looks for libraries in ${folder || "the current folder"}`);
    if (elf.executableStack) note("executable-stack", where, "its stack is executable");
    if (elf.textRelocations) note("text-relocations", where, "its code is written to at start");
  }
}

/** A folder that is nobody's but the builder's, or anybody's: a relative one, a home, a scratch folder. */
const isForeignFolder = (folder: string): boolean =>
  !/^(\/|\$ORIGIN(\/|$)|\$\{ORIGIN\}(\/|$))/.test(folder) ||
  /^\/(tmp|home|root|build|var\/tmp|run|dev|proc)(\/|$)/.test(folder);

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
