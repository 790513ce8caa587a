/**
 * What people hold back waits, a step lets through exactly what it names, and what they placed runs there: judged anew from the words of
 * each build, for every claim that a host grants and every run that it begins.
 */
import type { Effect } from "../../protocol/contract.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import { type EventOf, knownEvent } from "../../protocol/timeline/events.ts";
import type { Build } from "../../protocol/work/build.ts";
import type { Host } from "../host.ts";
import type { Accuse } from "./violation.ts";

/** Words that count, as a host has heard them. */
interface Words {
  readonly facts: number;
  readonly controls: readonly EventOf<"control">[];
  readonly steps: readonly EventOf<"step">[];
  readonly breakpoints: readonly EventOf<"breakpoint">[];
  readonly places: readonly EventOf<"place">[];
}

export class HoldChecker {
  private readonly dishonest: ReadonlySet<string>;
  private readonly accuse: Accuse;
  /** Read once for as long as nothing new is said and nobody's word counts otherwise: that makes other folds. */
  private readonly read = new WeakMap<object, Words>();

  constructor(dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  step(host: Host, effects: readonly Effect[]): void {
    if (this.dishonest.has(host.peer)) return;
    for (const effect of effects)
      if (effect.kind === "sign" && effect.entry.build !== undefined) {
        const build = host.core.desk.builds.get(effect.entry.build);
        for (const raw of build ? effect.entry.events : []) {
          const event = raw.kind === "claim" ? knownEvent(raw) : undefined;
          if (event?.kind === "claim") this.judge(host, build!, event.action, event.holder, "grants");
        }
      } else if (effect.kind === "execute") {
        const build = host.core.desk.builds.get(effect.request.build);
        if (build) this.judge(host, build, effect.request.action, host.peer, "begins");
      }
  }

  private judge(host: Host, build: Build, action: string, holder: PeerId, does: string): void {
    const words = this.wordsOf(host, build);
    if (!words) return;
    if (isHeld(build, words, action))
      this.accuse(
        "what is held waits",
        `${host.name} ${does} ${action} of ${build.id}, which a person holds`,
      );
    const standing = unanswered(words.places.filter((p) => p.action === action)).filter((p) => p.peer);
    if (standing.length > 0 && standing.every((p) => p.peer !== holder))
      this.accuse("what is placed runs there", `${host.name} ${does} ${action} of ${build.id} elsewhere`);
  }

  /** Undefined where no person said anything. */
  private wordsOf({ core: { desk } }: Host, build: Build): Words | undefined {
    const { claims } = build;
    if (!claims) return undefined;
    const facts = build.facts();
    const known = this.read.get(claims);
    if (known?.facts === facts.length) return known;
    const words = {
      facts: facts.length,
      controls: [] as EventOf<"control">[],
      steps: [] as EventOf<"step">[],
      breakpoints: [] as EventOf<"breakpoint">[],
      places: [] as EventOf<"place">[],
    };
    for (const entry of facts) {
      if (!desk.members.counts(entry)) continue;
      for (const raw of entry.entry.events) {
        const event = ["control", "step", "breakpoint", "place"].includes(raw.kind)
          ? knownEvent(raw)
          : undefined;
        if (!event || !desk.members.may(event.kind, entry)) continue;
        if (event.kind === "control") words.controls.push(event);
        else if (event.kind === "step") words.steps.push(event);
        else if (event.kind === "breakpoint") words.breakpoints.push(event);
        else if (event.kind === "place") words.places.push(event);
      }
    }
    this.read.set(claims, words);
    return words;
  }
}

function unanswered<E extends { readonly id: string; readonly answers: readonly string[] }>(
  words: readonly E[],
): E[] {
  return words.filter((word) => !words.some((other) => other.answers.includes(word.id)));
}

function isHeld(build: Build, words: Words, action: string): boolean {
  const claims = build.claims!;
  const set = unanswered(words.breakpoints).filter(({ op }) => op === "set");
  const holds = unanswered(words.controls)
    .filter(({ op }) => op === "pause")
    .map(({ id }) => id as string);
  holds.push(...set.filter((one) => one.action === action).map(({ id }) => id));
  const failures = (index: number) =>
    claims.claimsOf(index).filter((claim) => claim.fail?.cause === "deterministic");
  if (set.some((one) => one.action === undefined))
    for (let index = 0; index < claims.actions.size; index++)
      for (const { id, forgiven } of failures(index))
        if (!forgiven && !words.controls.some(({ answers }) => answers.includes(id))) holds.push(id);
  if (holds.length === 0) return false;
  const failed = failures(claims.indexOf.get(action as never)!).length;
  const past = words.steps
    .filter((step) => step.actions.some(([name, times]) => name === action && failed <= times))
    .flatMap((step) => step.past);
  return holds.some((id) => !past.includes(id));
}
