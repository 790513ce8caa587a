import fc from "fast-check";
import { expect, test } from "vitest";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { Event } from "../../protocol/timeline/events.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import {
  Author,
  abandon,
  control,
  done,
  emptyClaims,
  expire,
  fail,
  folded,
  graphOf,
  keyOf,
  lost,
  resultOf,
  rolesOf,
  start,
} from "./facts.ts";

const graph = graphOf({ a: [], b: ["a"], c: ["a"], d: ["b", "c"], e: [] });
const actions = ["a", "b", "c", "d", "e"];
const names = ["ann", "bob", "cy", "dee"];
/** Dee only looks on: what she says must not count anywhere. */
const roles = rolesOf({ dee: ["observer"] });

/**
 * One thing somebody says. `who` says it; `on` is the claim it is about, of those made so far; `honest` picks the member that may say
 * it. Not all are: strangers speak for others, holders contradict themselves, stewards use one id twice, chains fork.
 */
const saying = fc.record({
  kind: fc.constantFrom(
    ...(["claim", "claim", "claim", "twin", "start", "done", "done", "fail", "abandon", "expire"] as const),
    ...(["lost", "cached", "control", "sealed", "again", "forgive", "recall"] as const),
  ),
  who: fc.nat(3),
  on: fc.nat(30),
  action: fc.nat(4),
  variant: fc.nat(2),
  honest: fc.boolean(),
  fork: fc.nat(12).map((n) => n === 0),
  together: fc.boolean(),
});
type Saying = typeof saying extends fc.Arbitrary<infer T> ? T : never;

/** The entries that come of it; events said `together` share an entry. */
function entriesOf(sayings: readonly Saying[]): SignedEntry[] {
  const authors = names.map((name) => new Author(name));
  const claims: { event: ReturnType<Author["claim"]>; steward: Author; holder: Author }[] = [];
  const controls: string[] = [];
  const entries: SignedEntry[] = [];
  const pending = new Map<Author, (Event | { kind: string })[]>();
  const flush = (author: Author) => {
    const events = pending.get(author);
    if (events) entries.push(author.say(...events));
    pending.delete(author);
  };
  for (const { kind, who, on, action, variant, honest, fork, together } of sayings) {
    const about = claims.length > 0 ? claims[on % claims.length] : undefined;
    const name = actions[action]! as ActionName;
    let author = authors[who]!;
    let event: Event | { kind: string } | undefined;
    if (kind === "claim" || kind === "twin") {
      const holder = authors[on % 4]!;
      const said = author.claim(name, holder, kind === "twin" ? { twin: true } : {});
      claims.push({ event: said, steward: author, holder });
      event = said;
    } else if (kind === "control") {
      // Ids may collide: nothing keeps one member from taking another's.
      const id = `control ${on % 6}`;
      event = control(
        (["pause", "resume", "cancel"] as const)[variant === 2 && on > 5 ? 0 : variant]!,
        id,
        ...controls.slice(0, on % 3),
      );
      controls.push(id);
    } else if (kind === "sealed") event = { kind: "sealed", state: "complete", wallMs: on };
    else if (kind === "cached")
      event = {
        kind: "cached",
        action: name,
        key: keyOf(name),
        result: resultOf(honest ? name : "a", `${variant}`),
        from: authors[on % 4]!.peer,
      };
    else if (about) {
      if (honest) author = kind === "expire" || kind === "again" ? about.steward : about.holder;
      if (kind === "start") event = start(about.event);
      if (kind === "done") event = done(about.event, `${variant}`);
      if (kind === "fail") event = fail(about.event, variant === 0 ? "infrastructure" : "deterministic");
      if (kind === "abandon") event = abandon(about.event);
      if (kind === "expire") event = expire(about.event);
      if (kind === "forgive")
        event = { kind: "forgive", action: about.event.action, claims: [about.event.claim] };
      if (kind === "recall") event = { kind: "recall", claims: [about.event.claim], running: variant === 0 };
      if (kind === "lost") event = lost(about.event.action, about.event.claim);
      if (kind === "again") event = { ...about.event, action: name, key: keyOf(name) };
    }
    if (!event) continue;
    if (fork) entries.push(author.sayAt(on % 4, event));
    else {
      pending.set(author, [...(pending.get(author) ?? []), event]);
      if (!together) flush(author);
    }
  }
  for (const author of authors) flush(author);
  return entries;
}

const script = fc.array(saying, { maxLength: 40 });

/** Every entry twice, in an order drawn from `dice`. */
function shuffled(entries: readonly SignedEntry[], dice: readonly number[]): SignedEntry[] {
  return [...entries, ...entries]
    .map((entry, i) => ({ entry, at: (dice[i % dice.length]! * (i + 7919) * 2654435761) % 2 ** 32 }))
    .sort((x, y) => x.at - y.at)
    .map(({ entry }) => entry);
}

const seen = (claims: Claims) => ({
  states: actions.map((_, i) => claims.actions.get(i)),
  counts: { ...claims.actions.counts },
  ready: [...claims.actions.ready()],
  open: [...claims.openClaims].map((c) => c.id).sort(),
  winners: actions.map((_, i) => claims.winnerOf(i)?.id),
  results: actions.map((_, i) => claims.resultOf(i)?.hash),
  holders: actions.map((_, i) => {
    const result = claims.resultOf(i);
    return result ? claims.holdersOf(i, result).sort() : [];
  }),
  state: claims.state,
  settled: claims.settled,
  paused: claims.paused,
  failed: actions.map((_, i) => names.map((name) => claims.failedAt(i, new Author(name).peer))),
  digest: claims.digest(),
});

test("any order and any doubling of one set of facts gives one state", () => {
  fc.assert(
    fc.property(script, fc.array(fc.nat(), { minLength: 1 }), (sayings, dice) => {
      const entries = entriesOf(sayings);
      const one = seen(folded(graph, entries, roles));
      expect(seen(folded(graph, shuffled(entries, dice), roles))).toEqual(one);
      expect(seen(folded(graph, entries.toReversed(), roles))).toEqual(one);
    }),
    { numRuns: 600 },
  );
});

test("two sides of a partition agree once they hold each other's facts", () => {
  fc.assert(
    fc.property(script, fc.array(fc.nat(2), { minLength: 50, maxLength: 50 }), (sayings, side) => {
      const entries = entriesOf(sayings);
      const [left, right] = [emptyClaims(graph, roles), emptyClaims(graph, roles)];
      entries.forEach((entry, i) => {
        if (side[i]! !== 1) left.take(entry);
        if (side[i]! !== 0) right.take(entry);
      });
      for (const entry of entries) left.take(entry);
      for (const entry of entries.toReversed()) right.take(entry);
      expect(seen(left)).toEqual(seen(right));
    }),
    { numRuns: 300 },
  );
});

test("counters, ready list and journal always tell what the states are", () => {
  fc.assert(
    fc.property(script, (sayings) => {
      const claims = emptyClaims(graph, roles);
      const replayed = actions.map(() => "waiting");
      let read = 0;
      for (const entry of entriesOf(sayings)) {
        claims.take(entry);
        for (; read < claims.actions.journal.length; read++) {
          const { action, state } = claims.actions.journal[read]!;
          replayed[action] = state;
        }
        const states = actions.map((_, i) => claims.actions.get(i));
        expect(replayed).toEqual(states);
        expect([...claims.actions.ready()]).toEqual(states.flatMap((s, i) => (s === "ready" ? [i] : [])));
        for (const [state, count] of Object.entries(claims.actions.counts))
          expect(count).toBe(states.filter((s) => s === state).length);
      }
    }),
    { numRuns: 300 },
  );
});

test("a result once valid is never hidden, but by losing its bytes", () => {
  fc.assert(
    fc.property(script, (sayings) => {
      const claims = emptyClaims(graph, roles);
      const held = new Set<string>();
      for (const entry of entriesOf(sayings)) {
        claims.take(entry);
        const results = new Set(actions.flatMap((_, i) => claims.resultsOf(i).map((r) => `${i} ${r.hash}`)));
        for (const result of held) expect(results).toContain(result);
        for (const result of results) held.add(result);
      }
    }),
    { numRuns: 300 },
  );
});
