/** What builds take in a home's event store before and after they are packed, as they are when they are archived. For a home whose daemon has ended. */
import { Level } from "level";
import { placesOf } from "../../node/home-places.ts";
import { openEventStore } from "../../node/store/events.ts";
import { chainOf } from "../../protocol/kernel/ids.ts";
import type { Place } from "../../protocol/timeline/places.ts";
import { readUpdate } from "../../protocol/work/ledger.ts";

export interface Packing {
  /** Bytes of keys and values: entries and what ledgers keep of them; then segments. */
  readonly looseBytes: number;
  readonly packedBytes: number;
}

/** Packs every build that the store holds. */
export async function packing(home: string): Promise<Packing> {
  const { timeline } = placesOf(home);
  const looseBytes = await bytesOf(timeline, "b", "u");
  const store = await openEventStore(timeline);
  const { ledgers } = await store.restore();
  for (const { build, updates } of ledgers) {
    const seqs = new Map<string, { place: Omit<Place, "runs">; seqs: number[] }>();
    for (const { entry } of updates.flatMap((update) => readUpdate(build, update))) {
      const { author, inc, seq } = entry;
      const chain = seqs.get(chainOf(author, inc)) ?? { place: { author, inc }, seqs: [] };
      seqs.set(chainOf(author, inc), chain);
      chain.seqs.push(seq);
    }
    const places = [...seqs.values()].map(({ place, seqs: of }) => ({
      ...place,
      runs: of.sort((a, b) => a - b).flatMap((seq) => [seq, seq]),
    }));
    await new Promise<void>((resolve) =>
      store.write(
        {
          entries: [],
          updates: [],
          dropped: [build],
          archived: [{ build, record: Uint8Array.of(0), places }],
          durable: true,
        },
        () => resolve(),
      ),
    );
  }
  await store.packed();
  await store.close();
  return { looseBytes, packedBytes: await bytesOf(timeline, "b", "s", "u") };
}

async function bytesOf(folder: string, ...shelves: readonly string[]): Promise<number> {
  const level = new Level<string, Uint8Array>(folder, { valueEncoding: "view" });
  let bytes = 0;
  for (const shelf of shelves)
    for await (const [key, value] of level.iterator({ gte: `${shelf}/`, lt: `${shelf}0` }))
      bytes += key.length + value.length;
  await level.close();
  return bytes;
}
