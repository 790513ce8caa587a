/** Nothing waits that could go on: no runnable action beside an idle host, no open claim that nobody works on. */
import type { ClaimId } from "../../protocol/kernel/ids.ts";
import type { Build } from "../../protocol/work/build.ts";
import { isOpen } from "../../protocol/work/claim.ts";
import { inputsOf } from "../../protocol/work/inputs.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Calm } from "./calm.ts";
import type { Accuse } from "./violation.ts";

/** A runnable action may wait this long beside an idle node. */
const idleMsMax = 3_000;
/** After a fault, so long until stewards have followed each other and work flows again. */
const recoveryMs = 5_000;
/** A claim that nobody works on is closed by then: not begun after 15 s, or its holder is dead for a lease. */
const openMsMax = 30_000;

/** Whether another build has the very action in hand: its result is waited for. */
function runsElsewhere({ core: { desk } }: Host, build: Build, index: number): boolean {
  const others = desk.liveBuilds().filter((b) => b !== build && b.claims!.openClaims.size > 0);
  if (others.length === 0) return false;
  const inputs = inputsOf(build.claims!, index, desk.trees, build.inputFiles);
  if (inputs.kind !== "known") return false;
  return others.some((b) => [...b.claims!.openClaims].some((c) => c.key === inputs.key));
}

/** An action that an idle host knows to be ready and may run; undefined when it is busy or there is none. */
export function waitingFor(host: Host): string | undefined {
  const { desk, holder, gate } = host.core;
  const vitals = desk.vitalsOf(host.peer);
  if (!vitals || holder.size >= vitals.slots || !desk.members.has(host.peer, "builder")) return undefined;
  for (const build of desk.liveBuilds()) {
    const { id, claims, submission } = build;
    if (!claims || !submission || claims.cancelled) continue;
    for (const index of claims.actions.ready()) {
      if (claims.heldBy(index) !== undefined) continue;
      if (claims.failedAt(index, host.peer) || holder.coolingDown(id, index)) continue;
      if (gate.refuses(vitals, build, index) !== undefined) continue;
      if (runsElsewhere(host, build, index)) continue;
      if (gate.leaves(build, index, vitals, 0) === undefined) return `${claims.action(index).name} of ${id}`;
    }
  }
  return undefined;
}

export class WaitChecker {
  private readonly swarm: Swarm;
  private readonly calm: Calm;
  private readonly dishonest: ReadonlySet<string>;
  private readonly accuse: Accuse;
  /** Since when a host could have had an action of a build. */
  private readonly idleSinceMs = new Map<string, number>();
  /** Since when a claim is open and nothing runs by it. */
  private readonly openSinceMs = new Map<ClaimId, number>();

  constructor(swarm: Swarm, calm: Calm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.calm = calm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  sample(): void {
    this.idle();
    this.open();
  }

  private idle(): void {
    const { world, hosts, network } = this.swarm;
    const fastest = Math.max(...hosts.filter((h) => h.active).map((h) => h.speed));
    // One who hears a steward that cannot hear it asks in vain until the connection is given up.
    const quiet =
      this.dishonest.size > 0 ||
      this.calm.troubled ||
      world.nowMs - world.faultMs < recoveryMs ||
      network.lopsided;
    for (const host of hosts) {
      // The guard keeps slower hosts from work that a faster one would finish sooner: they may idle.
      const waiting = host.active && host.speed === fastest ? waitingFor(host) : undefined;
      if (waiting === undefined || quiet) {
        this.idleSinceMs.delete(host.name);
        continue;
      }
      const sinceMs = this.idleSinceMs.get(host.name) ?? world.nowMs;
      this.idleSinceMs.set(host.name, sinceMs);
      if (world.nowMs - sinceMs <= idleMsMax) continue;
      this.accuse("nobody idles beside work", `${host.name} idles while ${waiting} is ready`);
      this.idleSinceMs.delete(host.name);
    }
  }

  private open(): void {
    const { world, hosts, executions } = this.swarm;
    const running = new Set(hosts.flatMap((h) => executions.runningOn(h.name).map((e) => e.claim)));
    const open = new Map<ClaimId, string>();
    for (const host of hosts) {
      if (!host.active || !this.calm.covers(host) || this.dishonest.has(host.peer)) continue;
      for (const build of host.core.desk.liveBuilds())
        for (const claim of build.claims!.openClaims)
          if (isOpen(claim) && !running.has(claim.id))
            open.set(claim.id, build.claims!.action(claim.action).name);
    }
    for (const claim of this.openSinceMs.keys()) if (!open.has(claim)) this.openSinceMs.delete(claim);
    for (const [claim, action] of open) {
      const sinceMs = this.openSinceMs.get(claim) ?? world.nowMs;
      this.openSinceMs.set(claim, sinceMs);
      const waitsMs = Math.min(world.nowMs - sinceMs, this.calm.forMs);
      if (waitsMs <= openMsMax) continue;
      this.accuse(
        "nothing waits for ever",
        `a claim of ${action} is open for ${waitsMs} ms and nobody runs it`,
      );
      this.openSinceMs.set(claim, world.nowMs);
    }
  }
}
