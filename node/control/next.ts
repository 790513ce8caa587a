/** What to do next, as status says it: one command to copy and why. A pure decision over facts, the most urgent first. */
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import type { BuildState, NextAction, WaitView } from "./api.ts";
import type { HoldView } from "./words.ts";

export interface NextBuild {
  readonly build: BuildId;
  readonly name: string;
  readonly state: BuildState;
  readonly submittedAtMs: number;
  readonly actions: number;
  readonly counts: { readonly done: number; readonly blocked: number };
  /** This node submitted it. */
  readonly own: boolean;
  /** Its results were fetched through this node. */
  readonly fetched: boolean;
  /** Some of its work waits for a node that is not there. */
  readonly wait?: Pick<WaitView, "why" | "remedy"> | undefined;
  /** What people hold of it. */
  readonly holds?: readonly Pick<HoldView, "kind" | "action" | "by">[];
  /** The first of the actions that failed for good. */
  readonly failedAction?: ActionName;
}

export interface NextFacts {
  readonly members: number;
  /** This node among them. */
  readonly aliveMembers: number;
  /** Of those alive, how many take work now. */
  readonly takers: number;
  /** Of those alive, which were told to take none. */
  readonly ordered: readonly { readonly name: string; readonly order: "paused" | "drained" }[];
  /** Of those alive, which run on two machines at once; `own`: this node does. */
  readonly twins?: readonly { readonly name: string; readonly own: boolean }[];
  /** What waits to be released, by channel, and whether any node serves releases. */
  readonly staged?: readonly { readonly channel: string; readonly builds: number }[];
  readonly mirrors?: number;
  /** A check by rebuilding that found something to differ: the first of so many actions. */
  readonly differing?: {
    readonly build: BuildId;
    readonly check?: BuildId;
    readonly first: ActionName;
    readonly actions: number;
  };
  /** In any order; only the latest of each name counts, for it is what came of the earlier ones. */
  readonly builds: readonly NextBuild[];
}

/** Stands for a spec of the reader's own; the CLI puts a real one in its place where it knows one. */
export const specWord = "SPEC";

export function nextAction(facts: NextFacts): NextAction {
  const latest = latestOfEachName(facts.builds);
  const all = (state: BuildState) => latest.filter((build) => build.state === state);

  const twin = facts.twins?.find(({ own }) => own) ?? facts.twins?.[0];
  if (twin)
    return {
      command: twin.own ? ["stop"] : null,
      why: `${twin.name} runs twice, from one copied home on two machines: neither takes work until one is stopped (there: swarmd stop), and enters under a key of its own (swarmd join TICKET --home DIR)`,
    };

  const running = all("running")[0];
  const [ordered] = facts.ordered;
  if (running && ordered && facts.takers === 0)
    return {
      command: ["resume", ordered.name],
      why: `${running.name} waits: no node takes work, ${ordered.name} is ${ordered.order}${absent(facts)}`,
    };
  const held = running?.holds?.find(({ kind }) => kind === "breakpoint");
  if (running && held)
    return {
      command: ["step", running.build, held.action!],
      why: `${running.name} stands at a breakpoint: ${held.action} waits until somebody lets it go (${held.by} set it; to clear it: swarmd breakpoint ${running.build} ${held.action} --clear)`,
    };
  if (running?.wait)
    return {
      command: running.wait.remedy?.command ?? ["watch", running.build],
      why: `${running.name} waits: ${running.wait.why}${running.wait.remedy ? `; ${running.wait.remedy.text}` : ""}${absent(facts)}`,
    };
  if (running)
    return {
      command: ["watch", running.build],
      why: `${running.name} is running: ${doneOf(running)}${
        running.counts.blocked > 0
          ? `, ${running.counts.blocked} blocked (what they came from, and what to run: swarmd fix-blocked ${running.build})`
          : ""
      }${absent(facts)}`,
    };

  const paused = all("paused")[0];
  const broke = paused?.holds?.find(({ kind }) => kind === "failure");
  if (paused && broke)
    return {
      command: ["resume", paused.build],
      why: `${paused.name} broke at a failure of ${broke.action}, as ${broke.by} wanted; why: swarmd why ${paused.build} ${broke.action}`,
    };
  if (paused)
    return { command: ["resume", paused.build], why: `${paused.name} is paused: ${doneOf(paused)}` };

  const failed = all("failed").find((build) => build.own);
  if (failed)
    return {
      command: ["fix-blocked", failed.build],
      why: `${failed.name} failed${failed.failedAction ? ` in ${failed.failedAction}` : ""}; see what it came from, mend it, submit again (or, if nothing is to be mended: swarmd retry ${failed.build})`,
    };

  const unfetched = all("complete").find((build) => build.own && !build.fetched);
  if (unfetched)
    return {
      command: ["fetch", unfetched.build],
      why: `${unfetched.name} is complete and its results are not fetched yet`,
    };

  const { differing } = facts;
  if (differing?.check)
    return {
      command: ["rebuild-check", differing.check],
      why: `${differing.first}${differing.actions > 1 ? ` and ${differing.actions - 1} more` : ""} of ${differing.build} came out differently on another node; see where they differ`,
    };

  const [staged] = facts.staged ?? [];
  const waits = staged
    ? `${staged.builds} ${staged.builds === 1 ? "build waits" : "builds wait"} to be released in ${staged.channel}`
    : "";
  if (staged && facts.mirrors !== 0)
    return {
      command: ["finalize", ...(staged.channel === "stable" ? [] : ["--channel", staged.channel])],
      why: `${waits}; what they are: swarmd staging`,
    };

  if (!facts.builds.some((build) => build.own))
    return {
      command: ["submit", specWord],
      why: `nothing was submitted from this node yet${
        facts.members === 1
          ? "; to add a machine first, run swarmd invite here and swarmd join there"
          : absent(facts)
      }`,
    };

  if (ordered)
    return {
      command: ["resume", ordered.name],
      why: `all builds have ended; ${ordered.name} is ${ordered.order} and takes no work`,
    };

  return {
    command: null,
    why:
      facts.aliveMembers < facts.members
        ? `all builds have ended${absent(facts)}`
        : `all builds have ended and their results are fetched${
            // Whether a machine serves releases is its owner's choice.
            staged ? `; ${waits}, and no node serves releases (to let this one: swarmd mirror add)` : ""
          }`,
  };
}

const doneOf = ({ counts, actions }: NextBuild): string => `${counts.done} of ${actions} actions are done`;

const absent = ({ members, aliveMembers }: NextFacts): string =>
  aliveMembers < members ? `; ${aliveMembers} of ${members} members are here` : "";

/** Newest first; builds submitted in one millisecond by id, so that every node says the same. */
function latestOfEachName(builds: readonly NextBuild[]): NextBuild[] {
  const ordered = builds.toSorted(
    (a, b) => b.submittedAtMs - a.submittedAtMs || (a.build < b.build ? -1 : 1),
  );
  const names = new Set<string>();
  return ordered.filter((build) => !names.has(build.name) && names.add(build.name));
}
