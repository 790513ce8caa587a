/** Words about members: nothing counts that was said beyond a cut, and every host that can be reached heeds them soon. */
import type { Effect } from "../../protocol/contract.ts";
import type { ClaimId, PeerId } from "../../protocol/kernel/ids.ts";
import { type Cut, namedCut, standsBefore, untilEntry } from "../../protocol/swarm/cuts.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { entryKey } from "../../protocol/timeline/entry.ts";
import { knownEvent, type Role } from "../../protocol/timeline/events.ts";
import type { Build } from "../../protocol/work/build.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Calm } from "./calm.ts";
import type { Accuse } from "./violation.ts";

/** From the word on so long at most, where everybody is connected. */
const forceMs = 5_000;
/** Hosts that reach each other again, or were started, are connected after so long. */
const connectMs = 15_000;

/** What was said of a member. */
interface Word {
  readonly host: Host;
  readonly peer: PeerId;
  readonly atMs: number;
  /** Where its word ends; undefined: only its roles are others. */
  readonly cut: Cut | undefined;
  /** Its roles beyond `since`. */
  readonly roles:
    | { readonly given: readonly Role[]; readonly since: Cut; readonly serial: number }
    | undefined;
}

export class MemberChecker {
  private readonly swarm: Swarm;
  private readonly calm: Calm;
  private readonly dishonest: ReadonlySet<string>;
  private readonly accuse: Accuse;
  private readonly words: Word[] = [];
  /** Where claims, and results that were found in caches, were said. */
  private readonly places = new Map<string, SignedEntry>();
  /** Since when each start of a host runs. */
  private readonly startedMs = new Map<string, number>();

  constructor(swarm: Swarm, calm: Calm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.calm = calm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  step(host: Host, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind !== "append") continue;
      const { entry: said } = effect;
      for (const [place, raw] of said.entry.events.entries())
        if (raw.kind === "claim") this.places.set((raw as unknown as { claim: ClaimId }).claim, said);
        else if (raw.kind === "cached") this.places.set(`${entryKey(said.entry)}#${place}`, said);
        else if (raw.kind.startsWith("member.")) this.governed(host, said, raw);
    }
  }

  private governed(host: Host, said: SignedEntry, raw: Parameters<typeof knownEvent>[0]): void {
    const event = knownEvent(raw);
    const { nowMs: atMs } = this.swarm.world;
    const word = { host, atMs, cut: undefined, roles: undefined };
    if (event?.kind === "member.left")
      this.words.push({ ...word, peer: said.entry.author, cut: untilEntry(said) });
    const mayGovern = !this.dishonest.has(host.peer) && host.core.desk.members.has(host.peer, "admin");
    if (!mayGovern) return;
    if (event?.kind === "member.revoked")
      this.words.push({ ...word, peer: event.peer, cut: namedCut(event.last) });
    if (event?.kind === "member.role") {
      const since = namedCut(event.since);
      this.words.push({
        ...word,
        peer: event.peer,
        roles: { given: event.roles, since, serial: event.serial },
      });
    }
  }

  sample(): void {
    const { hosts, world } = this.swarm;
    if (this.words.length === 0) return;
    for (const host of hosts) {
      if (!host.active || this.dishonest.has(host.peer)) continue;
      const start = `${host.name} ${host.incarnations.at(-1)}`;
      const startedMs = this.startedMs.get(start) ?? world.nowMs;
      this.startedMs.set(start, startedMs);
      for (const word of this.words) {
        if (word.peer === host.peer) continue;
        if (this.heeds(host, word))
          for (const build of host.core.desk.builds.values()) this.counted(host, build, word);
        else if (world.nowMs - startedMs > connectMs + forceMs) this.due(host, word);
      }
    }
  }

  /** Whether a host knows the word, by what it makes of the member. */
  private heeds({ core: { desk } }: Host, { peer, cut, roles }: Word): boolean {
    if (cut || !desk.members.has(peer)) return !desk.members.has(peer);
    return roles === undefined || desk.members.nextSerial(peer) > roles.serial;
  }

  /** Where both have been connected for long, the word is known by now, and the link to whoever is gone is closed. */
  private due(host: Host, { host: speaker, peer, atMs }: Word): void {
    const { world } = this.swarm;
    if (this.calm.troubled || this.calm.wholeForMs <= connectMs + forceMs) return;
    if (world.nowMs - atMs <= forceMs || !speaker.active) return;
    if (!this.calm.covers(host) || !this.calm.covers(speaker)) return;
    this.accuse(
      "heeded in time",
      `${host.name} does not heed what ${speaker.name} said of ${world.name(peer)} ${Math.round(world.nowMs - atMs)} ms ago`,
    );
  }

  /** Nothing that the member said beyond its cut, or without the role, is a claim or a result to one who knows. */
  private counted(host: Host, { id, claims }: Build, { peer, cut, roles }: Word): void {
    if (!claims) return;
    const strange = (said: SignedEntry | undefined): boolean =>
      said !== undefined &&
      said.entry.author === peer &&
      (cut
        ? !standsBefore(cut, said)
        : roles !== undefined && !roles.given.includes("builder") && !standsBefore(roles.since, said));
    const accuse = (what: string): void =>
      this.accuse("members decide", `${host.name} counts ${what} in ${id}`);
    for (const claim of claims.claims.values())
      if (claim.steward === peer && strange(this.places.get(claim.id)))
        accuse(`a claim that ${this.swarm.world.name(peer)} had no right to`);
    for (const index of claims.graph.actions.keys())
      for (const result of claims.resultsOf(index))
        for (const source of result.sources.keys())
          if (source.startsWith(`${peer}.`) && source.includes("#") && strange(this.places.get(source)))
            accuse(`a result that ${this.swarm.world.name(peer)} had no right to speak of`);
  }
}
