/** What hosts write and keep: every honest author writes its own unbroken chain, and nobody keeps, loses or changes what another said. */
import type { Effect, Input } from "../../protocol/contract.ts";
import { type BuildId, chainOf, type EntryId } from "../../protocol/kernel/ids.ts";
import { entryKey, type SignedEntry } from "../../protocol/timeline/entry.ts";
import { readVector } from "../../protocol/work/ledger.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Accuse } from "./violation.ts";

/** A ledger as a host had it: entries by client. */
type Clocks = ReadonlyMap<number, number>;

export class ChainChecker {
  private readonly swarm: Swarm;
  private readonly accuse: Accuse;
  /** Hosts that may say anything: what they wrote in their own name is theirs. */
  private readonly dishonest: ReadonlySet<string>;
  /** Every entry an honest host appended, and which one stands at which place of its chain. */
  private readonly appended = new Set<EntryId>();
  private readonly places = new Map<string, EntryId>();
  /** The end of each chain, by author and incarnation. */
  private readonly ends = new Map<string, { readonly seq: number; readonly id: EntryId }>();
  private readonly ledgers = new Map<string, { readonly digest: string; readonly clocks: Clocks }>();

  constructor(swarm: Swarm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.dishonest = dishonest;
    this.accuse = accuse;
    for (const certificate of swarm.certificates) this.appended.add(certificate.id);
  }

  step(host: Host, effects: readonly Effect[], input: Input): void {
    if (this.dishonest.has(host.peer)) return;
    // What the disk brought is no other than what was said, either.
    if (input.kind === "restored-entries" || input.kind === "restored-ledger")
      for (const entry of input.entries) this.known(host, entry);
    for (const effect of effects) {
      if (effect.kind === "append") this.own(host, effect.entry);
      else if (effect.kind === "keep" || effect.kind === "keep-update")
        for (const entry of effect.entries) this.known(host, entry);
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

  private own(host: Host, { entry, id }: SignedEntry): void {
    const { world } = this.swarm;
    if (entry.author !== host.peer || entry.inc !== host.incarnations.at(-1))
      this.accuse("own prefix", `${host.name} appends as ${world.name(entry.author)} ${entry.inc}`);
    const place = entryKey(entry);
    const stands = this.places.get(place);
    if (stands !== undefined && stands !== id)
      this.accuse("no honest fork", `${host.name} writes ${entry.inc} ${entry.seq} twice`);
    const chain = chainOf(entry.author, entry.inc);
    const end = this.ends.get(chain);
    if (entry.seq !== (end ? end.seq + 1 : 0) || (end && entry.prev !== end.id))
      this.accuse(
        "no honest fork",
        `${host.name} writes ${entry.inc} ${entry.seq} after ${end?.seq ?? "nothing"}`,
      );
    this.ends.set(chain, { seq: entry.seq, id });
    this.places.set(place, id);
    this.appended.add(id);
  }

  private known(host: Host, { id, entry }: SignedEntry): void {
    if (this.appended.has(id) || this.dishonest.has(entry.author)) return;
    const author = this.swarm.world.name(entry.author);
    this.accuse("own prefix", `${host.name} keeps an entry of ${author} that ${author} never wrote`);
  }
}
