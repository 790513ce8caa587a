/** The film of a build as the page folds it, held against the fold itself. */
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import type { ActionView } from "../../node/control/api.ts";
import { type Steps, stepsOf } from "../../node/gateway/steps.ts";
import type { Views } from "../../node/gateway/views.ts";
import { Film } from "../../node/gateway/web/replay/film.ts";
import { Queries } from "../../node/queries.ts";
import type { ExecuteOutcome } from "../../protocol/contract.ts";
import type { Moment } from "../../protocol/explain/replay.ts";
import { Cores } from "../core/cores.ts";
import { accountsOf } from "../explain/accounts.ts";
import { graphOf } from "../work/facts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };
const parts = Array.from({ length: 9 }, (_, i) => `part-${i}`);

const failed: ExecuteOutcome = {
  kind: "failed",
  cause: "deterministic",
  reason: "exit code 1",
  exitCode: 1,
  usage: { fetchMs: 0, wallMs: 5, cpuMs: 5, maxRssBytes: 0, fetchedBytes: 0 },
};

let steps: Steps;
let actions: readonly ActionView[];
let momentAt: (atMs: number) => Promise<Moment>;
beforeAll(async () => {
  const cores = new Cores(
    { ann: { slots: 2 }, bob: {} },
    { run: ({ action }) => ({ ms: 80, ...(action === "part-3" ? { outcome: failed } : {}) }) },
  );
  const needs = Object.fromEntries(parts.map((name, i) => [name, i < 3 ? [] : [parts[i - 3]!]]));
  const build = cores.submit("ann", graphOf({ ...needs, all: parts }));
  cores.runFor(3000);
  const { core } = cores.node("ann");
  const queries = new Queries(core, mesh);
  const accounts = accountsOf(core, queries);
  steps = await stepsOf({ replay: (request: never) => accounts.replay(request) } as unknown as Views, build);
  actions = queries.view(queries.find(build)).actionViews;
  momentAt = async (atMs) => {
    for await (const line of accounts.replay({ build, atMs, steps: false }))
      if (line.kind === "moment") return line;
    throw new Error("no moment");
  };
});

const statesOf = (film: Film) => film.live.actions.map(({ state, node }) => `${state} ${node ?? ""}`);

test("a film shows the same at a place wherever one came from", () => {
  const places = fc.array(fc.nat(steps.steps.length), { minLength: 1, maxLength: 8 });
  const moved = new Film(steps, actions);
  fc.assert(
    fc.property(places, (path) => {
      for (const place of path) moved.seek(place);
      const direct = new Film(steps, actions);
      direct.seek(path.at(-1)!);
      expect(statesOf(moved)).toEqual(statesOf(direct));
    }),
    { numRuns: 40 },
  );
});

test("at every moment it counts what the fold counts, and knows who had what in hand", async () => {
  const film = new Film(steps, actions);
  for (let part = 0; part <= 12; part++) {
    const ms = Math.round((film.lengthMs * part) / 12);
    film.seek(film.countAt(ms));
    const { counts, running, queue, nodes } = await momentAt(steps.fromMs + ms);
    expect(film.live.counts()).toEqual(counts);
    expect([...film.queue(100)].sort()).toEqual([...queue].sort());
    const inHand = film.nodesAt(ms);
    expect(inHand.flatMap((node) => node.running).sort()).toEqual(running.map(({ action }) => action).sort());
    for (const { node, slots } of nodes)
      if (slots !== undefined) expect(inHand.find((one) => one.node === node)!.slots).toBe(slots);
  }
  film.seek(film.steps.length);
  expect(film.live.counts()).toMatchObject({ blocked: 1 });
  expect([...film.runs.values()].flat().filter(({ outcome }) => outcome === "failed").length).toBeGreaterThan(
    0,
  );
  expect(film.about("part-3").length).toBeGreaterThan(2);
});
