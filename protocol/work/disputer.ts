/**
 * Says of what is staged that a check by rebuilding came to something else: a word of the timeline, so that who releases it weighs it also where the
 * check was never seen, or is in memory no more.
 */
import { type ActionName, type BuildId, byText, type PeerId } from "../kernel/ids.ts";
import type { Staging } from "../release/staging.ts";
import { disputedMax } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Claims } from "./claims.ts";
import type { Desk } from "./desk.ts";
import { rebuiltAction } from "./rebuilt.ts";
import { awaited } from "./standing.ts";

/** Members named of one action. */
const nodesMax = 16;

/** What was read of a check so far. */
interface Read {
  /** Changes of its actions. */
  journal: number;
  /** To its end. */
  whole: boolean;
  /** Entries of the build that is checked. */
  heard: number;
  /** Actions whose result, as the check quotes it, nobody is known to have made: those words may be on their way. */
  readonly open: Set<number>;
  readonly found: Map<ActionName, readonly PeerId[]>;
  /** Channel and action that this node disputed since its start. */
  readonly said: Set<string>;
}

export class Disputer {
  private readonly desk: Desk;
  private readonly staging: Staging;
  private readonly checks = new Map<BuildId, Read>();

  constructor(desk: Desk, staging: Staging) {
    this.desk = desk;
    this.staging = staging;
  }

  /** Disputes what is staged by now, of the checks that are this node's to tell of. */
  pump(): void {
    const { desk } = this;
    if (!desk.settled || desk.stopping || desk.mute) return;
    for (const check of desk.builds.values()) {
      const checked = check.submission?.event.checks;
      if (checked === undefined || check.claims?.graph.checks?.build !== checked) continue;
      const read = this.look(check, checked);
      if (read.found.size === 0 || desk.stewardOf(check.id, "") !== desk.config.self) continue;
      for (const channel of this.staging.channelsOf(checked)) this.dispute(channel, checked, check.id, read);
    }
  }

  /** Nobody asks for it any more. */
  forget(build: BuildId): void {
    this.checks.delete(build);
  }

  /** Reads what changed: each action once it has a result, and all of them at the end, when whoever ran it twice is heard too. */
  private look(check: Build, checked: BuildId): Read {
    const read = this.checks.get(check.id) ?? unread();
    this.checks.set(check.id, read);
    const other = this.desk.builds.get(checked);
    // Its plan is on its way: what it releases shows only then.
    if (other && !other.claims) return read;
    const claims = check.claims!;
    const { journal } = claims.actions;
    const heard = other?.facts().length ?? 0;
    const isWhole = claims.sealed !== undefined && awaited(check, this.desk.members) === 0;
    if (read.journal === journal.length && read.whole === isWhole && read.heard === heard) return read;
    const fresh = new Set(
      isWhole && !read.whole
        ? claims.graph.actions.keys()
        : journal.slice(read.journal).flatMap(({ action, state }) => (state === "done" ? [action] : [])),
    );
    if (read.heard !== heard) for (const index of read.open) fresh.add(index);
    read.journal = journal.length;
    read.whole = isWhole;
    read.heard = heard;
    const counting = other && released(other.claims!);
    for (const index of fresh) {
      const { action, verdict, again } = rebuiltAction(claims, index, String, other?.claims);
      if (verdict === "unchecked") read.open.add(index);
      else read.open.delete(index);
      const isReleased = counting === undefined || counting.has(action);
      if (verdict === "different" && isReleased) read.found.set(action, again.slice(0, nodesMax));
    }
    return read;
  }

  private dispute(channel: string, build: BuildId, check: BuildId, { found, said }: Read): void {
    if ([...found.keys()].every((action) => said.has(`${channel} ${action}`))) return;
    const known = this.staging.disputesOf(channel, build).filter((one) => one.check === check);
    const fresh = [...found]
      .filter(([action]) => !said.has(`${channel} ${action}`))
      .filter(([action]) => !known.some((one) => one.action === action))
      .sort(([a], [b]) => byText(a, b));
    for (const action of found.keys()) said.add(`${channel} ${action}`);
    for (let at = 0; at < fresh.length; at += disputedMax)
      this.desk.say(
        undefined,
        {
          kind: "release.disputed",
          channel,
          build,
          check,
          actions: fresh
            .slice(at, at + disputedMax)
            .map(([action, nodes]) => ({ action, nodes: [...nodes] })),
        },
        { urgent: true },
      );
  }
}

const unread = (): Read => ({
  journal: 0,
  whole: false,
  heard: 0,
  open: new Set(),
  found: new Map(),
  said: new Set(),
});

/** Names of the actions that what is released was made by, or of. Where the build is not in memory nobody can say which those are: all of them count. */
function released(claims: Claims): ReadonlySet<ActionName> | undefined {
  const { release } = claims.graph;
  if (!release) return undefined;
  const names = new Set<ActionName>();
  const open = release.include.flatMap((name) => claims.indexOf.get(name) ?? []);
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const { name } = claims.action(index);
    if (names.has(name)) continue;
    names.add(name);
    open.push(...claims.dependencies[index]!);
  }
  return names;
}
