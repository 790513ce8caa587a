/** How the artifacts were made that this node's builds speak of, gathered from their facts. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { ReleaseItem } from "../../protocol/release/manifest.ts";
import { type ProvenanceFacts, statementText } from "../../protocol/release/provenance.ts";
import type { Build } from "../../protocol/work/build.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import type { Result } from "../../protocol/work/results.ts";
import { brings } from "../../protocol/work/standing.ts";
import type { ArtifactView } from "../control/api.ts";
import { version } from "../version.ts";
import type { Envelope } from "./attestation.ts";

/** Statements of one artifact: the newest builds that made it. */
const statementsMax = 16;

export interface AttesterParts {
  readonly desk: Desk;
  readonly describe: (word: string) => Promise<ArtifactView>;
  readonly sign: (text: string) => Envelope;
}

/** One signed statement for each build that made the artifact, the newest first. Throws as `describe`, and `not-found` where nobody made it. */
export async function attest(parts: AttesterParts, word: string): Promise<Envelope[]> {
  const { digest, kind } = await parts.describe(word);
  const builds = [...parts.desk.builds.values()].filter((build) => build.submission?.counts);
  builds.sort((a, b) => b.submission!.wallMs - a.submission!.wallMs);
  const envelopes: Envelope[] = [];
  for (const build of builds)
    for (const facts of factsOf(parts.desk, build, digest)) {
      envelopes.push(parts.sign(statementText(facts)));
      if (envelopes.length >= statementsMax) return envelopes;
    }
  if (envelopes.length === 0)
    throw new SwarmError(
      "not-found",
      kind === "input" || kind === "graph"
        ? `${digest} was submitted, not built`
        : `no build that this node keeps in memory made ${digest}`,
      { remedy: "see what a build made: swarmd fetch BUILD --json" },
    );
  return envelopes;
}

/** How a released file was made, by the facts of its build; undefined where no result that counts brings it any more. */
export function releasedFacts(
  desk: Desk,
  build: Build,
  item: ReleaseItem,
  more: Pick<ProvenanceFacts, "release" | "servedAs">,
): ProvenanceFacts | undefined {
  const { claims } = build;
  const index = claims?.indexOf.get(item.action);
  if (!claims || index === undefined) return undefined;
  const result = claims.resultsOf(index).find((one) => brings(one, item));
  const facts = result && factsAt(desk, build, index, result, { path: item.path, digest: item.digest });
  return facts && { ...facts, ...more };
}

function* factsOf(desk: Desk, build: Build, digest: Digest): Generator<ProvenanceFacts> {
  const { claims } = build;
  if (!claims) return;
  for (let index = 0; index < claims.actions.size; index++)
    for (const result of claims.resultsOf(index))
      for (const { path, digest: made } of result.result.outputs) {
        const facts = made === digest ? factsAt(desk, build, index, result, { path, digest }) : undefined;
        if (facts) yield facts;
      }
}

function factsAt(
  desk: Desk,
  { id, claims, submission }: Build,
  index: number,
  result: Result,
  artifact: ProvenanceFacts["artifact"],
): ProvenanceFacts | undefined {
  if (!claims || !submission) return undefined;
  const { name, argv, env, toolchains, requires } = claims.action(index);
  const { stdout, stderr } = result.result;
  return {
    swarm: desk.config.swarm,
    artifact,
    build: id,
    spec: {
      name: submission.event.name,
      graph: submission.event.graph,
      submittedBy: submission.author,
      atMs: submission.wallMs,
    },
    action: {
      name,
      key: result.key,
      argv,
      env,
      toolchains,
      ...(requires?.target !== undefined && { target: requires.target }),
    },
    inputs: inputsOf(claims, index),
    builders: buildersOf(claims, index, result),
    byproducts: [
      ...(stdout ? [{ name: "stdout", digest: stdout }] : []),
      ...(stderr ? [{ name: "stderr", digest: stderr }] : []),
    ],
    version,
  };
}

/** Whoever said that it came to this result: by a claim of its own, or because it holds what was made in another build. */
const buildersOf = (claims: Claims, index: number, result: Result): PeerId[] => {
  const made = claims
    .claimsOf(index)
    .filter((claim) => claim.done?.resultHash === result.hash)
    .map(({ holder }) => holder);
  return [...new Set(made.length > 0 ? made : result.sources.values())];
};

function inputsOf(claims: Claims, index: number): ProvenanceFacts["inputs"] {
  const { graph } = claims;
  const found = new Map<string, ProvenanceFacts["inputs"][number]>();
  const files = new Map(graph.files.map((file) => [file.path, file.digest]));
  for (const at of claims.action(index).inputs) {
    const { from, output, paths = [] } = graph.sets[at]!;
    if (from === undefined)
      for (const path of paths) {
        const digest = files.get(path);
        if (digest !== undefined) found.set(path, { path, digest });
      }
    else {
      const result = claims.resultOf(claims.indexOf.get(from)!);
      for (const made of result?.result.outputs ?? [])
        if (output === undefined || made.path === output)
          found.set(made.path, { path: made.path, digest: made.digest, action: from });
    }
  }
  return [...found.values()];
}
