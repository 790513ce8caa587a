/** What hosts write and keep, step by step; and no ledger loses what it had. */
import type { Effect, Input } from "../../protocol/contract.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { readVector } from "../../protocol/work/ledger.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import { AuthorChecker } from "./authors.ts";
import type { Accuse } from "./violation.ts";

/** A ledger as a host had it: entries by client. */
type Clocks = ReadonlyMap<number, number>;

export class ChainChecker {
  private readonly swarm: Swarm;
  private readonly accuse: Accuse;
  /** Hosts that may say anything: what they wrote in their own name is theirs. */
  private readonly dishonest: ReadonlySet<string>;
  private readonly authors: AuthorChecker;
  private readonly ledgers = new Map<string, { readonly digest: string; readonly clocks: Clocks }>();

  constructor(swarm: Swarm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.dishonest = dishonest;
    this.accuse = accuse;
    this.authors = new AuthorChecker((peer) => swarm.world.name(peer), dishonest, accuse);
    for (const certificate of swarm.certificates) this.authors.allow(certificate.id);
  }

  step(host: Host, effects: readonly Effect[], input: Input): void {
    if (this.dishonest.has(host.peer)) return;
    // What the disk brought is no other than what was said, either.
    if (input.kind === "restored-entries" || input.kind === "restored-ledger")
      for (const entry of input.entries) this.authors.kept(host.name, entry);
    const writer = { name: host.name, peer: host.peer, inc: host.incarnations.at(-1)! };
    for (const effect of effects) {
      if (effect.kind === "append") this.authors.wrote(writer, effect.entry);
      else if (effect.kind === "keep" || effect.kind === "keep-update")
        for (const entry of effect.entries) this.authors.kept(host.name, entry);
    }
  }

  /** No ledger of a running daemon has less than it had, and each entry it counted stands in it. */
  sample(): void {
    for (const host of this.swarm.hosts) {
      if (!host.up) continue;
      for (const { id, ledger } of host.core.desk.builds.values()) {
        const key = `${host.incarnations.at(-1)} ${host.name} ${id}`;
        const digest = ledger.digest();
        const before = this.ledgers.get(key);
        if (before?.digest === digest) continue;
        const clocks = readVector(ledger.vector());
        this.ledgers.set(key, { digest, clocks });
        let entries = 0;
        for (const count of clocks.values()) entries += count;
        if (ledger.size !== entries)
          this.accuse("facts stay", `${host.name} counted ${entries} facts of ${id} and has ${ledger.size}`);
        for (const [client, count] of before?.clocks ?? [])
          if ((clocks.get(client) ?? 0) < count)
            this.accuse("facts stay", `${host.name} has fewer facts of ${id} than it had`);
      }
    }
  }

  /** The build was dropped, or the host started anew: what it had of it then is no measure. */
  forget(host: Host, build: BuildId): void {
    this.ledgers.delete(`${host.incarnations.at(-1)} ${host.name} ${build}`);
  }
}
