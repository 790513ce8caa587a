/** Recordings made of cores that no daemon stands around, and the same opened. */
import { AccountQueries } from "../../node/account-queries.ts";
import { readRules } from "../../node/diagnosis-rules.ts";
import { Queries } from "../../node/queries.ts";
import { type Section, type Source, written } from "../../node/recording/container.ts";
import { sectionsOf } from "../../node/recording/recorded-build.ts";
import { type OpenOptions, Recording } from "../../node/recording/recording.ts";
import type { Reading } from "../../protocol/explain/readings.ts";
import type { BuildId, Digest, PeerId } from "../../protocol/kernel/ids.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { Cores, type Node } from "../core/cores.ts";
import { blob, graphOf } from "../work/facts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };
export const failedLog = Buffer.from("link: undefined reference to `main'\n");
const { verify } = fakeSigner(fakePeer("nobody"));

/** Two builds of one name: the first is done, in the second an action fails for good. */
export function story() {
  const cores = new Cores({ ann: { slots: 2 }, bob: {} });
  let breaks = false;
  cores.rules = {
    run: ({ action }) =>
      breaks && action === "c"
        ? {
            ms: 20,
            outcome: {
              kind: "failed",
              cause: "deterministic",
              reason: "exit code 1",
              exitCode: 1,
              stderr: blob(failedLog.toString()),
            },
          }
        : { ms: 80 },
  };
  const needs = { a: [], b: ["a"], c: ["a"], d: ["b", "c"] };
  const before = cores.submit("ann", graphOf(needs));
  cores.finish(before);
  breaks = true;
  const build = cores.submit("ann", graphOf(needs, { env: { LEVEL: "2" } }));
  cores.finish(build);
  cores.runFor(1000);
  return { cores, build, before };
}

export function accountsIn(cores: Cores, { core }: Node) {
  const queries = new Queries(core, mesh);
  const read = async (digest: Digest) =>
    cores.graphs.get(digest) ?? (digest === blob(failedLog.toString()) ? failedLog : null);
  const accounts = new AccountQueries({
    core,
    queries,
    recall: { find: async (id) => queries.find(id) },
    tailOf: read,
    rules: () => readRules(),
  });
  return { queries, accounts, read };
}

export const readings: readonly Reading[] = [
  {
    peer: fakePeer("ann"),
    atMs: 1,
    load: 0.5,
    temperatureCelsius: 71,
    headroomCelsius: 14,
    slots: 1,
    limitedBy: "hot",
  },
];

/** Sections of a recording of a build, as one of the nodes makes it. */
export function sectionsBy(
  cores: Cores,
  name: string,
  build: BuildId,
  parts: { logs?: "failed" | "all" | "none"; readings?: readonly Reading[]; recordings?: string } = {},
): AsyncIterable<Section> {
  const node = cores.node(name);
  const { accounts, read } = accountsIn(cores, node);
  const request = { build, logs: parts.logs ?? "failed", tapes: parts.recordings !== undefined };
  return sectionsOf(
    request,
    {
      desk: node.core.desk,
      accounts,
      read,
      events: {
        range: (author, inc, from, to, done) =>
          done(
            node.entries.filter(
              ({ entry: e }) => e.author === author && e.inc === inc && e.seq >= from && e.seq <= to,
            ),
          ),
      },
      readings: {
        async *between() {
          yield* parts.readings ?? [];
        },
      },
      recordings: parts.recordings ?? "nowhere",
    },
    new AbortController().signal,
  );
}

export async function bytesOf(
  sections: AsyncIterable<Section> | Iterable<Section>,
  by: PeerId = fakePeer("ann"),
): Promise<Buffer> {
  const all = async function* () {
    yield* sections;
  };
  return Buffer.concat(await Array.fromAsync(written(all(), fakeSigner(by))));
}

export const sourceOf = (bytes: Uint8Array, name = "out.swarm"): Source => ({
  name,
  bytes: bytes.length,
  read: async (at, length) => bytes.subarray(at, at + length),
});

export const opened = (bytes: Uint8Array, options: OpenOptions = {}): Promise<Recording> =>
  Recording.over(sourceOf(bytes), { verify, ...options });
