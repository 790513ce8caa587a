/** What a person means by a word: a build by id, prefix or name; a node by name or peer id; or a helpful no. */
import type { BuildSummary, Control, NodeView } from "../node/control/api.ts";
import { nearest } from "../protocol/build/nearest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { byText } from "../protocol/kernel/ids.ts";

const candidatesMax = 8;

/** The build whose id it is, the latest of that name, or the only one whose id begins so. Throws `not-found`, `ambiguous`. */
export async function selectBuild(control: Control, word: string): Promise<BuildSummary> {
  const builds = await control.builds();
  const found = matchBuild(builds, word);
  if (found) return found;
  throw notFound(
    "build",
    word,
    builds.flatMap(({ build, name }) => [build, name]),
    builds.length === 0 ? "nothing was submitted yet" : "the builds: swarmd history, swarmd status",
  );
}

/** As `selectBuild`, undefined when there is none. */
export function matchBuild(builds: readonly BuildSummary[], word: string): BuildSummary | undefined {
  const exact = builds.find(({ build }) => build === word);
  if (exact) return exact;
  const named = builds
    .filter(({ name }) => name === word)
    .toSorted((a, b) => b.submittedAtMs - a.submittedAtMs || byText(a.build, b.build));
  if (named[0]) return named[0];
  const begin = word === "" ? [] : builds.filter(({ build }) => build.startsWith(word));
  if (begin.length > 1)
    throw ambiguous(
      "build",
      word,
      begin.map(({ build }) => build),
    );
  return begin[0];
}

/** The node of that name or peer id, or the only one whose name or peer id begins so. Throws `not-found`, `ambiguous`. */
export function selectNode(nodes: readonly NodeView[], word: string): NodeView {
  const found = matchNode(nodes, word);
  if (found) return found;
  throw notFound(
    "node",
    word,
    nodes.map(({ name }) => name),
    "the nodes: swarmd node list",
  );
}

/** As `selectNode`, undefined when there is none. */
export function matchNode(nodes: readonly NodeView[], word: string): NodeView | undefined {
  for (const fits of [
    (node: NodeView) => node.name === word || node.peerId === word,
    (node: NodeView) => word !== "" && (node.name.startsWith(word) || node.peerId.startsWith(word)),
  ]) {
    const found = nodes.filter(fits);
    if (found.length > 1)
      throw ambiguous(
        "node",
        word,
        found.map(({ name, peerId }) => `${name} ${peerId}`),
      );
    if (found[0]) return found[0];
  }
  return undefined;
}

/** The refusal for a word that names nothing, with the nearest that does. */
export function notFound(
  what: string,
  word: string,
  known: readonly string[],
  otherwise: string,
): SwarmError {
  const best = nearest(word, known);
  return new SwarmError("not-found", `there is no ${what} ${word}`, {
    remedy: best === undefined ? otherwise : `did you mean ${best}?`,
  });
}

function ambiguous(what: string, word: string, candidates: readonly string[]): SwarmError {
  const shown = candidates.slice(0, candidatesMax);
  if (candidates.length > shown.length) shown.push(`and ${candidates.length - shown.length} more`);
  return new SwarmError("ambiguous", `${word} may be any of these: ${shown.join(", ")}`, {
    remedy: `write more of the ${what}`,
  });
}
