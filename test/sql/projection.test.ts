import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { marked, missing } from "../../node/sql/marked.ts";
import { Projection } from "../../node/sql/projection.ts";
import { Author } from "../work/facts.ts";
import { Past } from "./told.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "swarmd-projection-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const swarm = "5".repeat(64);
const rowsOf = (projection: Projection, sql: string) => {
  const { rows } = projection.ask(sql, []);
  projection.close();
  return rows;
};

test("the order in which entries come makes no difference", () => {
  const [forward, backward] = [new Past().play(), new Past().play()];
  backward.entries.reverse();
  const [one, other] = [forward.into(path.join(dir, "forward")), backward.into(path.join(dir, "backward"))];
  for (const table of ["builds", "actions", "attempts", "decisions", "artifacts", "events"]) {
    const sql = `SELECT * FROM ${table}`;
    expect(other.ask(sql, []).rows, table).toEqual(one.ask(sql, []).rows);
  }
  one.close();
  other.close();
});

test("who may not say something, and who says it of another's claim, changes nothing but the events", () => {
  const forged = new Past().play();
  const claim = forged.entries
    .flatMap(({ entry }) => entry.events)
    .find((event) => event.kind === "claim" && event.action === "b" && event.attempt === 2)!;
  const idle = forged.ann.say({ kind: "sealed", state: "complete", wallMs: 1 });
  forged.entries.push(
    forged.ann.say({ kind: "abandon", claim: claim.claim as never, reason: "not mine" }),
    idle,
  );
  forged.idle.add(idle.id);
  const projection = forged.into(path.join(dir, "forged"));
  expect(projection.ask("SELECT state FROM attempts WHERE attempt = 2", []).rows).toEqual([["running"]]);
  expect(projection.ask("SELECT state FROM builds", []).rows).toEqual([["running"]]);
  expect(rowsOf(projection, "SELECT kind FROM events WHERE counts = 0")).toEqual([["sealed"]]);
});

test("a file that is no database, or of another swarm, is made anew", () => {
  const file = path.join(dir, "spoiled");
  writeFileSync(file, "this is no database, and it is long enough to be looked at");
  expect(rowsOf(new Past().play().into(file), "SELECT count(*) FROM events")).toEqual([[9]]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(rowsOf(new Past().into(file, "6".repeat(64)), "SELECT count(*) FROM events")).toEqual([[0]]);
});

test("what is oldest goes where there is no room for all, and is not asked for again", () => {
  const projection = new Projection(path.join(dir, "p.sqlite"), swarm, 100);
  const ann = new Author("ann");
  const entries = Array.from({ length: 250 }, () => ann.say({ kind: "start", claim: "c" as never }));
  projection.read(
    entries.map(({ bytes }) => ({ bytes, counts: [true] })),
    0,
  );
  projection.passed([{ author: ann.peer, inc: ann.inc, runs: [] }]);
  expect(projection.rows("events")).toBeLessThanOrEqual(100);
  expect(projection.ask("SELECT max(seq), min(seq) > 140 FROM events", []).rows).toEqual([[249, 1]]);
  expect(projection.known()).toEqual([{ author: ann.peer, inc: ann.inc, runs: [0, 249] }]);
  projection.close();
});

test("what is older than ninety days is not taken in", () => {
  const projection = new Projection(path.join(dir, "p.sqlite"), swarm);
  const entry = new Author("ann").say({ kind: "node.down", reason: "old" });
  projection.read([{ bytes: entry.bytes, counts: [true] }], 91 * 86_400_000);
  expect(projection.rows("events")).toBe(0);
  projection.close();
});

test("a projection that was read in whole goes on where it was, one that broke off begins anew", () => {
  const file = path.join(dir, "p.sqlite");
  const ann = new Author("ann");
  const fed = { bytes: ann.say({ kind: "node.down", reason: "why" }).bytes, counts: [true] };
  const broken = new Projection(file, swarm);
  broken.read([fed], 0);
  broken.close();
  const again = new Projection(file, swarm);
  expect([again.rows("events"), again.known()]).toEqual([0, []]);
  again.read([fed], 0);
  again.passed([{ author: ann.peer, inc: ann.inc, runs: [] }]);
  again.close();
  const whole = new Projection(file, swarm);
  expect([whole.rows("events"), whole.known().length]).toEqual([1, 1]);
  whole.close();
});

test("runs hold every place that was marked, once, and what is missing is the rest", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 40 }), { maxLength: 60 }), (seqs) => {
      const runs: number[] = [];
      const known = new Set<number>();
      for (const seq of seqs) {
        expect(marked(runs, seq)).toBe(!known.has(seq));
        known.add(seq);
      }
      const inside = runs.flatMap((from, at) =>
        at % 2 === 0 ? Array.from({ length: runs[at + 1]! - from + 1 }, (_, i) => from + i) : [],
      );
      expect(inside).toEqual([...known].sort((a, b) => a - b));
      const rest = missing(runs, 40).flatMap(([from, to]) =>
        Array.from({ length: to - from + 1 }, (_, i) => from + i),
      );
      expect(rest).toEqual(Array.from({ length: 41 }, (_, i) => i).filter((i) => !known.has(i)));
    }),
  );
});
