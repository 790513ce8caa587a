/** What a person means by a word: a build by id, prefix or name; a node by name or peer id; or a helpful no. */
import type { BuildSummary, Control, NodeView } from "../node/control/api.ts";
import { nearestOr } from "../protocol/build/nearest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type ActionName, byText } from "../protocol/kernel/ids.ts";
import type { Context } from "./command.ts";

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

/**
 * What a word names that may be a build or a node; a whole name before the beginning of one. Throws `not-found`; `ambiguous` with both
 * spelled out.
 */
export async function selectBuildOrNode(
  control: Control,
  word: string,
): Promise<{ readonly build: BuildSummary } | { readonly node: NodeView }> {
  const [builds, nodes] = await Promise.all([control.builds(), control.nodes()]);
  const whole = {
    build: builds.some(({ build, name }) => build === word || name === word),
    node: nodes.some(({ name, peerId }) => name === word || peerId === word),
  };
  const build = whole.node && !whole.build ? undefined : matchBuild(builds, word);
  const node = whole.build && !whole.node ? undefined : matchNode(nodes, word);
  if (build && node)
    throw new SwarmError(
      "ambiguous",
      `${word} may be the build ${build.build} or the node ${node.name} ${node.peerId}`,
      { remedy: "write the build's id or the node's peer id" },
    );
  if (build) return { build };
  if (node) return { node };
  const known = [...builds.flatMap((one) => [one.build, one.name]), ...nodes.map((one) => one.name)];
  throw notFound("build or node", word, known, "the builds: swarmd queue list, the nodes: swarmd node list");
}

/** The only live build that `fits`; with none or several, a refusal that lists them. */
export async function selectLive(
  context: Context,
  fits: (build: BuildSummary) => boolean,
  doing: string,
): Promise<BuildSummary> {
  const found = (await context.control.builds()).filter((build) => isLive(build) && fits(build));
  if (found.length > 1)
    throw ambiguous(
      "build",
      "it",
      found.map(({ build }) => build),
    );
  if (found[0]) return found[0];
  throw new SwarmError("not-found", `there is no build that could be ${doing}`, {
    remedy: `the builds: ${context.commandLine(["queue", "list"])}`,
  });
}

/** The build that the first word names, and the action in it; one word may also be an action of a live build; none: the only live build, or the latest when it failed. */
export async function selectWork(
  context: Context,
  words: readonly (string | undefined)[],
  doing: string,
): Promise<{ readonly build: BuildSummary; readonly action?: ActionName }> {
  const [word, action] = words;
  const { control } = context;
  const builds = await control.builds();
  const [latest] = builds;
  if (word === undefined)
    return latest?.state === "failed" && !builds.some(isLive)
      ? { build: latest }
      : { build: await selectLive(context, () => true, doing) };
  const build = matchBuild(builds, word);
  if (build) return { build, ...(action === undefined ? {} : { action: action as ActionName }) };
  const names: string[] = builds.flatMap((one) => [one.build, one.name]);
  if (action === undefined)
    for (const live of builds.filter(isLive)) {
      const here = (await control.build(live.build)).actionViews.map((view) => view.name);
      if (here.includes(word as ActionName)) return { build: live, action: word as ActionName };
      names.push(...here);
    }
  throw notFound(
    action === undefined ? "build or action" : "build",
    word,
    names,
    `the builds: ${context.commandLine(["queue", "list"])}`,
  );
}

const isLive = ({ state }: BuildSummary): boolean => state === "running" || state === "paused";

/** The refusal for a word that names nothing, with the nearest that does. */
export function notFound(
  what: string,
  word: string,
  known: readonly string[],
  otherwise: string,
): SwarmError {
  return new SwarmError("not-found", `there is no ${what} ${word}`, {
    remedy: nearestOr(word, known, otherwise),
  });
}

function ambiguous(what: string, word: string, candidates: readonly string[]): SwarmError {
  const shown = candidates.slice(0, candidatesMax);
  if (candidates.length > shown.length) shown.push(`and ${candidates.length - shown.length} more`);
  return new SwarmError("ambiguous", `${word} may be any of these: ${shown.join(", ")}`, {
    remedy: `write more of the ${what}`,
  });
}
