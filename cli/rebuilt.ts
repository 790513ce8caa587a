/** What a check by rebuilding came to, in words: what differs output by output, and inside of those part by part. */
import type { Difference, Side } from "../node/compare/compare.ts";
import type { RebuildView, RebuiltView } from "../node/control/rebuilding.ts";
import type { Context } from "./command.ts";
import { type OpenedOutput, opened } from "./differences.ts";
import { plain } from "./output.ts";
import { bytesText, countText } from "./units.ts";

const shownMax = 20;
/** Actions whose differing outputs are fetched and opened. */
const openedMax = 100;
const deepMax = 8;

export interface OpenedView extends Omit<RebuildView, "actions"> {
  readonly actions: readonly (Omit<RebuiltView, "outputs"> & { readonly outputs: readonly OpenedOutput[] })[];
}

/** The same with what is inside of outputs that differ, as far as their bytes can be had. */
export async function openAll({ control, json, output }: Context, view: RebuildView): Promise<OpenedView> {
  const actions: OpenedView["actions"][number][] = [];
  for (const [at, action] of view.actions.entries()) {
    if (at >= openedMax || action.outputs.length === 0) {
      actions.push(action);
      continue;
    }
    if (!json) output.live([`opening what differs: ${at + 1} of ${view.counts.different}`]);
    const outputs: OpenedOutput[] = [];
    for (const one of action.outputs) outputs.push(await opened(control, one));
    actions.push({ ...action, outputs });
  }
  output.live([]);
  return { ...view, actions };
}

export function showRebuilt({ output, commandLine }: Context, view: OpenedView): void {
  const { counts, build, check, share, of, salt } = view;
  const parts = [
    `${counts.equal} equal`,
    ...(counts.different > 0 ? [output.tone("bad", `${counts.different} different`)] : []),
    ...(counts.unchecked > 0 ? [`${counts.unchecked} could not be checked`] : []),
    ...(counts.pending > 0 ? [`${counts.pending} still to run`] : []),
  ];
  output.line(`${check} of ${build}: ${parts.join(", ")}`);
  if (share < 1)
    output.line(
      `drawn by the word ${salt}: ${Math.round(share * 1e4) / 100} % of ${countText(of, "executed action")}`,
    );
  const different = view.actions.filter(({ verdict }) => verdict === "different");
  for (const { action, by, again, outputs } of different.slice(0, shownMax)) {
    const makers = `${by.join(", ")} made one result, ${again.join(", ")} another`;
    output.line(`\n${output.tone("bad", "different")} ${plain(action)}: ${makers}`);
    for (const one of outputs) for (const line of outputLines(one)) output.line(`  ${plain(line)}`);
  }
  if (different.length > shownMax) output.line(`and ${different.length - shownMax} more differ: --json`);
  const others = view.actions.filter(({ verdict }) => verdict === "unchecked" || verdict === "pending");
  if (others.length > 0) output.line();
  for (const { action, verdict, why } of others.slice(0, shownMax)) {
    const words = verdict === "pending" ? "still to run" : "not checked";
    output.line(`${output.tone("note", words)} ${plain(`${action}${why ? `: ${why}` : ""}`)}`);
  }
  if (others.length > shownMax) output.line(`and ${others.length - shownMax} more: --json`);
  const [first] = different;
  if (!first) return;
  output.note(
    `\n${countText(different.length, "action")} came to something else on the same inputs: time, chance, the name of a machine, or a node that lies`,
  );
  output.note(`  look into its sandbox: ${commandLine(["shell", build, first.action])}`);
  output.note(`  who made it, and why:  ${commandLine(["why", build, first.action])}`);
}

function outputLines({ path, before, after, executable, difference, why }: OpenedOutput): string[] {
  const lines = difference ? linesOf({ ...difference, name: path }, 0) : [path];
  if (!difference && before !== after) lines.push(`  ${before} before, ${after} now`);
  if (executable) lines.push(`  may be run: ${executable[0] ? "yes before, no" : "no before, yes"} now`);
  if (why !== undefined) lines.push(`  it cannot be opened: ${why}`);
  return lines;
}

/** The part, what is said of it, and below it what it is made of. */
function linesOf(difference: Difference, depth: number): string[] {
  const { name, before, after, offset, facts = {}, kind, inside = [], more, reordered, text } = difference;
  const lines = [`${name}: ${sidesText(before, after, offset, kind)}`];
  for (const [fact, [one, other]] of Object.entries(facts))
    lines.push(`  ${fact}: ${one || "none"} before, ${other || "none"} now`);
  if (reordered) lines.push("  its parts stand in another order");
  if (kind && inside.length === 0 && !reordered) lines.push("  its parts are equal, what frames them is not");
  if (depth < deepMax)
    for (const part of inside) lines.push(...linesOf(part, depth + 1).map((line) => `  ${line}`));
  if (more) lines.push(`  and ${more} more parts differ`);
  for (const line of text ?? []) lines.push(`  ${line}`);
  return lines;
}

function sidesText(
  before: Side | undefined,
  after: Side | undefined,
  offset: number | undefined,
  kind: Difference["kind"],
): string {
  const what = kind ? `${kind}, ` : "";
  if (!before || !after) {
    const side = before ?? after;
    if (!side) return kind ?? "differs";
    return `${what}only ${before ? "before" : "now"}: ${sideText(side)}`;
  }
  if (before.sha256 === after.sha256) return `${what}${bytesText(before.bytes)}, equal in content`;
  const from = offset === undefined ? "" : `; the first different byte is at ${offset}`;
  return `${what}${sideText(before)} before, ${sideText(after)} now${from}`;
}

const sideText = ({ bytes, sha256 }: Side): string => `${bytesText(bytes)} (${sha256.slice(0, 12)})`;
