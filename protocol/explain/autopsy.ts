/** A failed build opened up: backward from each failure to what most likely caused it, with evidence; forward to all it holds up; and what to run next. */
import type { ActionName, BuildId, PeerId } from "../kernel/ids.ts";
import { byText } from "../kernel/ids.ts";
import type { ActionState } from "../work/actions.ts";
import type { Build } from "../work/build.ts";
import type { Claim } from "../work/claim.ts";
import type { Differing } from "../work/rebuilt.ts";
import { courseOf, runsOf } from "./course.ts";
import { type Blamed, type Diagnosis, diagnose, type Rule } from "./diagnosis.ts";
import { changeText } from "./key-parts.ts";
import type { WhyNotCached } from "./why.ts";

/** Failed actions that are opened, those that hold up most first. */
export const openedMax = 100;
const namesMax = 20;
const lineCharsMax = 200;

/** One run of an action of the same name or kind, in this build or another. */
export interface Ran {
  readonly build: BuildId;
  readonly action: ActionName;
  readonly group: string;
  readonly key: string;
  readonly peer: PeerId;
  readonly outcome: "done" | "deterministic" | "infrastructure";
}

/** A root cause that is thought possible. */
export interface Suspect {
  readonly kind: Blamed | "chance";
  /** The action, the node, the part of the key. */
  readonly name: string;
  /** 0 to 1; those of one failure add up to 1. */
  readonly weight: number;
  readonly evidence: readonly string[];
}

export interface FailureView {
  readonly action: ActionName;
  readonly state: ActionState;
  readonly attempts: readonly {
    readonly node: string;
    readonly reason: string;
    readonly exitCode?: number;
    readonly signal?: string;
    readonly cause: "deterministic" | "infrastructure";
    readonly forgiven: boolean;
  }[];
  readonly diagnoses: readonly Diagnosis[];
  /** The likeliest first. */
  readonly suspects: readonly Suspect[];
  /** What cannot be built without it, at most twenty by name. */
  readonly holds: {
    readonly actions: number;
    readonly first: readonly ActionName[];
    readonly released: number;
  };
  /** The cause in a sentence, and what mends it. */
  readonly text: string;
  readonly remedy: string;
  /** Arguments after `swarmd`, in the order in which they help. */
  readonly commands: readonly { readonly command: readonly string[]; readonly why: string }[];
}

export interface AutopsyView {
  readonly build: BuildId;
  readonly state: string;
  readonly actions: number;
  readonly done: number;
  /** Blocked for good, or failed when the build was cancelled, those that hold up most first. */
  readonly failures: readonly FailureView[];
  /** Failed, and got over it or has another try. */
  readonly recovered: readonly FailureView[];
  /** Failures beyond those that were opened. */
  readonly more: number;
  readonly held: number;
  /** Actions that came out otherwise when they were run again elsewhere. */
  readonly differing?: readonly Differing[];
  readonly text: string;
  /** Files of rules that cannot be read, and why. */
  readonly faults: readonly string[];
}

export interface AutopsyQuestion {
  readonly build: Build;
  readonly nameOf: (peer: PeerId) => string;
  readonly rules: readonly Rule[];
  readonly faults: readonly string[];
  /** What a failed run printed last; empty where nobody has it. */
  readonly outputOf: (claim: Claim) => string;
  /** Runs in other builds that are known. */
  readonly elsewhere: readonly Ran[];
  /** What changed in an action since it was built last. */
  readonly changesOf: (index: number) => WhyNotCached;
}

/** Indexes of what failed, those blocked before others, those that hold up most first. */
export function failedIn(build: Build): number[] {
  const { actions } = build.claims!;
  const failed: number[] = [];
  for (let index = 0; index < actions.size; index++)
    if (build.claims!.claimsOf(index).some((claim) => claim.fail)) failed.push(index);
  const weights = new Map(failed.map((index) => [index, heldBy(build, index).length]));
  const final = (index: number) => Number(isFinal(actions.get(index)));
  return failed.sort((a, b) => final(b) - final(a) || weights.get(b)! - weights.get(a)! || a - b);
}

/** Nothing runs again by itself what failed in such a state. */
const isFinal = (state: ActionState): boolean => state === "blocked" || state === "cancelled";

/** Everything about a build's failures. Its graph must be here. */
export function autopsyOf(question: AutopsyQuestion): AutopsyView {
  const { build } = question;
  const claims = build.claims!;
  const failed = failedIn(build);
  const known = new KnownRuns([...ranIn(build), ...question.elsewhere]);
  const opened = failed.slice(0, openedMax).map((index) => failureOf(question, known, index));
  const failures = opened.filter((one) => isFinal(one.state));
  const { counts } = claims.actions;
  const state = claims.sealed?.event.state ?? claims.state;
  return {
    build: build.id,
    state,
    actions: claims.actions.size,
    done: counts.done,
    failures,
    recovered: opened.filter((one) => !isFinal(one.state)),
    more: failed.length - opened.length,
    held: counts.held,
    text: inShort(claims, failed),
    faults: question.faults,
  };
}

function inShort({ actions }: NonNullable<Build["claims"]>, failed: readonly number[]): string {
  const { counts, size } = actions;
  if (failed.length === 0) return "nothing failed in it";
  if (counts.blocked > 0)
    return `${counts.blocked} of ${size} actions failed for good and hold up ${counts.held} more`;
  const cancelled = failed.filter((index) => actions.get(index) === "cancelled").length;
  if (cancelled > 0)
    return `${cancelled} of ${size} actions had failed and were not done when it was cancelled`;
  return `${failed.length} ${failed.length === 1 ? "action" : "actions"} failed on the way, and nothing is blocked`;
}

function failureOf(question: AutopsyQuestion, known: KnownRuns, index: number): FailureView {
  const { build, nameOf, rules, outputOf } = question;
  const claims = build.claims!;
  const { name } = claims.action(index);
  const runs = runsOf(build, courseOf(build)!, index).filter(({ claim }) => claim.fail);
  const diagnoses: Diagnosis[] = [];
  for (const { claim } of runs.toReversed())
    for (const one of diagnose(rules, { ...claim.fail!, output: outputOf(claim) }))
      if (!diagnoses.some(({ rule, cause }) => rule === one.rule && cause === one.cause)) diagnoses.push(one);
  const suspects = suspectsOf(question, known, index, diagnoses);
  const held = heldBy(build, index);
  const released = new Set(claims.graph.release?.include ?? []);
  const [first] = suspects;
  const [said] = diagnoses;
  const state = claims.actions.get(index);
  return {
    action: name,
    state,
    attempts: runs.map(({ claim }) => ({
      node: nameOf(claim.holder),
      reason: claim.fail!.reason,
      ...(claim.fail!.exitCode === undefined ? {} : { exitCode: claim.fail!.exitCode }),
      ...(claim.fail!.signal === undefined ? {} : { signal: claim.fail!.signal }),
      cause: claim.fail!.cause,
      forgiven: claim.forgiven,
    })),
    diagnoses: diagnoses.slice(0, 3),
    suspects,
    holds: {
      actions: held.length,
      first: held.slice(0, namesMax).map((at) => claims.action(at).name),
      released: [index, ...held].filter((at) => released.has(claims.action(at).name)).length,
    },
    text: said?.cause ?? plainly(runs.at(-1)!.claim, outputOf(runs.at(-1)!.claim)),
    remedy: said?.remedy ?? remedies[first!.kind],
    commands: commandsFor(build, name, state, first!, said, runs.at(-1)!.claim, nameOf),
  };
}

/** Where no rule fits: how it ended, and its last line. */
function plainly(claim: Claim, output: string): string {
  const last = output
    .split("\n")
    .findLast((line) => line.trim() !== "")
    ?.trim()
    .slice(0, lineCharsMax);
  return last === undefined ? claim.fail!.reason : `${claim.fail!.reason}; it printed last: ${last}`;
}

const remedies: Readonly<Record<Suspect["kind"], string>> = {
  package: "read what it printed, mend it, and submit again",
  node: "let it run elsewhere, and see what is wrong with that node",
  input: "look at what changed, mend it, and submit again",
  toolchain: "build with the toolchain that worked before, or mend what the new one refuses",
  chance: "let it run again; what comes and goes hides a race or something undeclared",
};

/** All that depends on an action, in the order of the graph. */
function heldBy(build: Build, index: number): number[] {
  const { dependents } = build.claims!;
  const seen = new Uint8Array(dependents.length);
  const held = [index];
  for (let at = 0; at < held.length; at++)
    for (const dependent of dependents[held[at]!]!)
      if (seen[dependent] === 0) {
        seen[dependent] = 1;
        held.push(dependent);
      }
  return held.slice(1).sort((a, b) => a - b);
}

/** Who or what is to blame, weighed by what else is known of the same command, the same action, the same node. */
function suspectsOf(
  question: AutopsyQuestion,
  known: KnownRuns,
  index: number,
  diagnoses: readonly Diagnosis[],
): Suspect[] {
  const { build, nameOf, elsewhere, changesOf } = question;
  const claims = build.claims!;
  const { name, group } = claims.action(index);
  const own = claims.claimsOf(index).filter((claim) => claim.fail);
  const keys = new Set<string>(own.map(({ key }) => key));
  const sameKey = [...keys].flatMap((key) => known.byKey.get(key) ?? []);
  const failedOn = [...new Set(own.map(({ holder }) => holder))].sort(byText);
  const workedOn = [
    ...new Set(sameKey.filter(({ outcome }) => outcome === "done").map(({ peer }) => peer)),
  ].sort(byText);
  const weights = new Map<
    string,
    { kind: Suspect["kind"]; name: string; weight: number; evidence: string[] }
  >();
  const suspect = (kind: Suspect["kind"], about: string, weight: number, evidence: string) => {
    const key = `${kind} ${about}`;
    const laid = weights.get(key) ?? { kind, name: about, weight: 0, evidence: [] };
    laid.weight += weight;
    laid.evidence.push(evidence);
    weights.set(key, laid);
  };
  // The base: most failures are the work's own.
  const times = own.length === 1 ? "once" : `${own.length} times`;
  suspect("package", name, 1, `it failed ${times}, on ${failedOn.map(nameOf).join(", ")}`);
  if (failedOn.length > 1 && workedOn.length === 0)
    suspect(
      "package",
      name,
      4,
      `the very same command failed on ${failedOn.length} nodes and worked on none`,
    );
  for (const peer of failedOn) {
    const others = workedOn.filter((other) => other !== peer);
    if (others.length > 0)
      suspect(
        "node",
        nameOf(peer),
        6,
        `the very same command worked on ${others.map(nameOf).join(", ")} and failed on ${nameOf(peer)}`,
      );
    if (workedOn.includes(peer))
      suspect("chance", name, 6, `the very same command both worked and failed on ${nameOf(peer)}`);
    const infrastructure = own.filter(
      ({ holder, fail }) => holder === peer && fail!.cause === "infrastructure",
    ).length;
    if (infrastructure > 0)
      suspect(
        "node",
        nameOf(peer),
        4,
        `${nameOf(peer)} says itself that it was its own doing: ${own.find(({ holder, fail }) => holder === peer && fail!.cause === "infrastructure")!.fail!.reason}`,
      );
    const rate = known.rateOf(peer);
    if (rate.excess > 0.15 && rate.failures >= 3 && rate.otherRuns >= 3)
      suspect(
        "node",
        nameOf(peer),
        8 * rate.excess,
        `of the last ${rate.runs} runs on ${nameOf(peer)} ${rate.failures} failed, of ${rate.otherRuns} elsewhere ${rate.otherFailures}`,
      );
  }
  const ofKind = (known.byGroup.get(group) ?? []).filter((ran) => ran.action !== name);
  const failedOfKind = ofKind.filter(({ outcome }) => outcome === "deterministic").length;
  if (ofKind.length >= 3 && failedOfKind === 0)
    suspect("package", name, 1, `${ofKind.length} other runs of ${group} failed nowhere`);
  const { against, changes } = changesOf(index);
  if (against && changes.length > 0) {
    const worked = elsewhere.some(
      ({ build: id, action, outcome }) => id === against.build && action === name && outcome === "done",
    );
    const weight = worked ? 5 : 1;
    const tools = changes.filter(({ part }) => part === "toolchain");
    const rest = changes.filter(({ part }) => part !== "toolchain");
    const since = worked ? `since it worked in ${against.build}` : `since ${against.build}`;
    for (const change of tools)
      suspect("toolchain", change.name, weight + 1, `${since}, ${changeText(change)}`);
    if (rest.length > 0)
      suspect(
        "input",
        rest[0]!.name,
        weight,
        `${since}, ${rest.slice(0, 3).map(changeText).join("; ")}${rest.length > 3 ? `; and ${rest.length - 3} more` : ""}`,
      );
  } else if (against && elsewhere.some(({ key, outcome }) => keys.has(key) && outcome === "done"))
    suspect("chance", name, 3, `nothing changed since it worked in ${against.build}`);
  for (const { blame, cause, evidence, rule } of diagnoses.slice(0, 2)) {
    const about = blame === "node" ? nameOf(failedOn[0]!) : name;
    suspect(blame, about, 5, `${cause} (rule ${rule}): ${evidence}`);
  }
  const total = [...weights.values()].reduce((sum, { weight }) => sum + weight, 0);
  return [...weights.values()]
    .map((one) => ({
      ...one,
      weight: Math.round((one.weight / total) * 100) / 100,
      evidence: one.evidence.toReversed(),
    }))
    .sort((a, b) => b.weight - a.weight || byText(a.name, b.name));
}

/** All runs that are known, found by what is asked of them. */
class KnownRuns {
  readonly byKey: ReadonlyMap<string, readonly Ran[]>;
  readonly byGroup: ReadonlyMap<string, readonly Ran[]>;
  private readonly byPeer = new Map<PeerId, { runs: number; failures: number }>();
  private readonly total = { runs: 0, failures: 0 };

  constructor(all: readonly Ran[]) {
    this.byKey = Map.groupBy(all, ({ key }) => key);
    this.byGroup = Map.groupBy(all, ({ group }) => group);
    for (const { peer, outcome } of all) {
      const of = this.byPeer.get(peer) ?? { runs: 0, failures: 0 };
      this.byPeer.set(peer, of);
      for (const sum of [of, this.total]) {
        sum.runs++;
        sum.failures += Number(outcome !== "done");
      }
    }
  }

  /** How often runs fail on a node beside elsewhere; by means that few runs do not move far. */
  rateOf(peer: PeerId) {
    const { runs, failures } = this.byPeer.get(peer) ?? { runs: 0, failures: 0 };
    const otherRuns = this.total.runs - runs;
    const otherFailures = this.total.failures - failures;
    const excess = (failures + 1) / (runs + 4) - (otherFailures + 1) / (otherRuns + 4);
    return { runs, failures, otherRuns, otherFailures, excess };
  }
}

/** Every run of a build that came to an end of its own. */
export function ranIn(build: Build): Ran[] {
  const claims = build.claims!;
  const ran: Ran[] = [];
  for (const { action, key, holder, done, fail } of claims.claims.values()) {
    if (!done && !fail) continue;
    const { name, group } = claims.action(action);
    ran.push({
      build: build.id,
      action: name,
      group,
      key,
      peer: holder,
      outcome: done ? "done" : fail!.cause,
    });
  }
  return ran;
}

function commandsFor(
  build: Build,
  action: ActionName,
  state: ActionState,
  suspect: Suspect,
  said: Diagnosis | undefined,
  last: Claim,
  nameOf: (peer: PeerId) => string,
): FailureView["commands"] {
  const commands: { command: readonly string[]; why: string }[] = [];
  if (said?.command)
    commands.push({
      command: said.command.map(
        (word) =>
          ({ BUILD: build.id as string, ACTION: action as string, NODE: nameOf(last.holder) })[word] ?? word,
      ),
      why: said.remedy,
    });
  commands.push({ command: ["logs", build.id, action], why: "what it printed" });
  if (suspect.kind === "node")
    commands.push({
      command: ["drain", suspect.name],
      why: `${suspect.name} takes nothing new until it is mended (then: swarmd resume ${suspect.name})`,
    });
  if (state !== "blocked") return commands;
  const ended = build.claims!.sealed !== undefined;
  const gone = suspect.kind === "package" || suspect.kind === "input" || suspect.kind === "toolchain";
  commands.push({
    command: ended ? ["retry", build.id] : ["unblock", build.id, action],
    why: gone ? "it runs again as it is; what was mended is submitted anew" : "it runs again",
  });
  return commands;
}
