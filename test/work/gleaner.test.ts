/** Only what a member said itself feeds a cache: forged, borrowed and withdrawn words do not. */
import { expect, test } from "vitest";
import { prove } from "../../protocol/proofs.ts";
import type { Members } from "../../protocol/swarm/members.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { glean, provenBy } from "../../protocol/work/gleaner.ts";
import { Author, build, done, keyOf, resultOf, rolesOf } from "./facts.ts";

const [ann, bob] = [new Author("ann"), new Author("bob")];
const members = rolesOf() as unknown as Members;
const but = (fields: object) => ({ ...members, ...fields }) as unknown as Members;

test("a result is gleaned with its maker, from its own word about a claim it held", () => {
  const claim = ann.claim("only", bob);
  const entries = [ann.say(claim), bob.say({ kind: "node.down", reason: "" }, done(claim))];
  const at = { inc: bob.inc, seq: entries[1]!.entry.seq };
  expect(glean(build, entries, members)).toEqual([
    { key: keyOf("only"), result: resultOf("only"), made: { build, action: "only", by: bob.peer, at } },
  ]);
  // In whatever order they come.
  expect(glean(build, entries.toReversed(), members)).toHaveLength(1);
});

test("nothing is gleaned from who did not hold the claim, said another key, or counts no more", () => {
  const claim = ann.claim("only", bob);
  expect(glean(build, [ann.say(claim, done(claim))], members)).toEqual([]);
  const other = { ...done(claim), key: keyOf("other") };
  expect(glean(build, [ann.say(claim), bob.say(other)], members)).toEqual([]);
  expect(glean(build, [bob.say(done(claim))], members)).toEqual([]);
  const told = [ann.say(claim), bob.say(done(claim))];
  expect(glean(build, told, but({ counts: (e: SignedEntry) => e.entry.author !== bob.peer }))).toEqual([]);
  expect(glean(build, told, but({ has: () => false }))).toEqual([]);
  expect(glean(build, told, but({ spoiled: () => true }))).toEqual([]);
  expect(glean(build, told, but({ may: () => false }))).toEqual([]);
});

test("an entry proves the result of the key it names, in its author's own name", () => {
  const claim = ann.claim("only", bob);
  const proof = bob.say(done(claim));
  const { inc, seq } = proof.entry;
  expect(provenBy(proof, keyOf("only"), claim.action, members)).toEqual({
    key: keyOf("only"),
    result: resultOf("only"),
    made: { build, action: "only", by: bob.peer, at: { inc, seq } },
  });
  expect(provenBy(proof, keyOf("other"), claim.action, members)).toBeUndefined();
  expect(provenBy(proof, keyOf("only"), claim.action, but({ counts: () => false }))).toBeUndefined();
  const broken = bob.say({ kind: "done", claim: claim.claim, key: keyOf("only"), result: 1 } as never);
  expect(provenBy(broken, keyOf("only"), claim.action, members)).toBeUndefined();
});

test("what makers said is read from the store, what lies near together in one go; hits without it are left out", () => {
  const said = Array.from({ length: 40 }, () => bob.say(done(ann.claim("only", bob))));
  const hitAt = (seq: number | undefined) => ({
    key: keyOf(`${seq}`),
    result: resultOf("only"),
    from: bob.peer,
    made: [
      { build, action: "only" as never, by: ann.peer },
      {
        build,
        action: "only" as never,
        by: bob.peer,
        ...(seq === undefined ? {} : { at: { inc: bob.inc, seq } }),
      },
    ],
  });
  const first = said[0]!.entry.seq;
  const seqs = [first, first + 9, first + 30, first + 500];
  const ranges: [number, number][] = [];
  let answers = 0;
  prove(
    [...seqs, undefined].map(hitAt),
    {
      range: (_author, _inc, fromSeq, toSeq, answer) => {
        ranges.push([fromSeq, toSeq]);
        answer(said.filter(({ entry }) => entry.seq >= fromSeq && entry.seq <= toSeq));
      },
    },
    (proven) => {
      answers++;
      expect(proven.map((hit) => hit.proof)).toEqual([said[0], said[9], said[30]]);
    },
  );
  expect(answers).toBe(1);
  expect(ranges).toEqual([
    [first, first + 9],
    [first + 30, first + 30],
    [first + 500, first + 500],
  ]);
  prove([], { range: () => {} }, (proven) => expect(proven).toEqual([]));
});
