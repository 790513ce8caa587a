import fc from "fast-check";
import { expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Ledger, readUpdate } from "../../protocol/work/ledger.ts";
import { entryAt } from "../contract/chain.ts";

const build = "demo-0123456789" as BuildId;

test("whatever two ledgers know of a third's entries, what one lacks passes the firewall and makes them equal", () => {
  const step = fc.record({
    author: fc.nat(2),
    /** Who does not hear the gossip; 3 is nobody. */
    deaf: fc.nat(3),
    /** Who then catches up with the author; 3 and more: nobody. */
    catchesUp: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ledgers = [0, 1, 2].map((i) => new Ledger(build, i + 1));
      const seqs = [0, 0, 0];
      const sync = (from: Ledger, to: Ledger) => {
        for (const update of from.missingFor(to.vector())) {
          readUpdate(build, update);
          expect(to.apply(update)).toBe("new");
        }
      };
      for (const { author, deaf, catchesUp } of steps) {
        const from = ledgers[author]!;
        const update = from.add(entryAt(seqs[author]!++, { author: `author ${author}`, build }));
        ledgers.forEach((ledger, i) => {
          if (i !== deaf) ledger.apply(update);
        });
        const behind = ledgers[catchesUp];
        if (behind) sync(from, behind);
      }
      for (const a of ledgers) for (const b of ledgers) if (a !== b) sync(a, b);
      for (const a of ledgers) for (const b of ledgers) if (a !== b) sync(a, b);
      expect(new Set(ledgers.map((l) => l.digest())).size).toBe(1);
      expect(ledgers[0]!.size).toBe(steps.length);
    }),
    { numRuns: 300 },
  );
});
