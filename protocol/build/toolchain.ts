/**
 * Toolchains in words: what a spec demands (`gcc >= 12 for aarch64-linux-gnu exact`), what a node offers (a fingerprint that says
 * version and target in its own text), and whether the one serves the other.
 */
import { byText } from "../kernel/ids.ts";
import type { Trouble } from "./problem.ts";
import { type Bound, boundsText, isVersion, operators, within } from "./version.ts";

export const toolPattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
export const targetPattern = /^[A-Za-z0-9_]+(-[A-Za-z0-9_]+){1,3}$/;
const boundsMax = 8;

/** What a spec asks of one tool. */
export interface Demand {
  readonly name: string;
  readonly bounds: readonly Bound[];
  /** What it must compile for. */
  readonly target?: string;
  /** Its files count, not only what it says of itself. */
  readonly exact: boolean;
}

/** What a tool is, as the node that has it tells: text `version/target/said` or `version/target/said/exact`, parts may be empty. */
export interface Offer {
  readonly version?: string;
  /** What it compiles for; absent for tools that do not compile. */
  readonly target?: string;
  /** Of what the tool says of itself. */
  readonly said: string;
  /** Of the content of its files; absent where they were not read (yet). */
  readonly exact?: string;
}

const hint = 'write for example gcc, "gcc >= 12", "gcc >= 12, < 14", "clang 14" or "gcc exact"';

/** The demand in a text `NAME [RANGE, ...] [for TARGET] [exact]`, or what is wrong with it. */
export function parseDemand(text: string): Demand | Trouble {
  const words = text.trim().split(/\s+/);
  const exact = words.length > 1 && words.at(-1) === "exact";
  if (exact) words.pop();
  const target = words.length > 2 && words.at(-2) === "for" ? words.at(-1) : undefined;
  if (target !== undefined) words.splice(-2);
  // An operator stands by itself or at its version, and right behind the name too.
  const [, name = "", rest = ""] = /^([^\s<>=]*)\s*(.*)$/.exec(words.join(" ")) ?? [];
  if (!toolPattern.test(name)) return { message: `"${text}" does not begin with the name of a tool`, hint };
  if (target !== undefined && !targetPattern.test(target))
    return { message: `"${target}" is no target`, hint: "such as aarch64-linux-gnu" };
  const bounds: Bound[] = [];
  for (const item of rest === "" ? [] : rest.split(",")) {
    const trimmed = item.trim();
    const written = operators.find((operator) => trimmed.startsWith(operator));
    const operator = written ?? "=";
    const version = trimmed.slice(written?.length ?? 0).replace(/^=?\s*/, "");
    if (!isVersion(version))
      return { message: `"${trimmed}" is no version and no range, in the toolchain "${text}"`, hint };
    bounds.push({ operator, version });
  }
  if (bounds.length > boundsMax) return { message: `"${text}" has more than ${boundsMax} ranges`, hint };
  return { name, bounds, ...(target === undefined ? {} : { target }), exact };
}

/** The one way to write a demand. */
export const demandText = ({ name, bounds, target, exact }: Demand): string =>
  [
    name,
    ...(bounds.length > 0 ? [boundsText(bounds)] : []),
    ...(target === undefined ? [] : [`for ${target}`]),
    ...(exact ? ["exact"] : []),
  ].join(" ");

/** The text of an offer, at most 128 characters of what may stand in it. */
export const offerText = ({ version = "", target = "", said, exact }: Offer): string =>
  [version, target, said, ...(exact === undefined ? [] : [exact])].join("/");

/** What a fingerprint tells. A text of another form is a fingerprint too, of which nothing more is known. */
export function readOffer(fingerprint: string): Offer {
  const parts = fingerprint.split("/");
  if (parts.length < 3 || parts.length > 4) return { said: fingerprint };
  const [version, target, said, exact] = parts as [string, string, string, string?];
  return {
    ...(version === "" ? {} : { version }),
    ...(target === "" ? {} : { target }),
    said,
    ...(exact === undefined ? {} : { exact }),
  };
}

/** What is pinned when an offer serves a demand: all of it where the demand is exact, else what the tool says of itself. */
export function pinOf(demand: Demand, fingerprint: string | undefined): string | undefined {
  if (fingerprint === undefined || lackOf(demand, fingerprint) !== undefined) return undefined;
  return demand.exact ? fingerprint : saidOf(fingerprint);
}

/** Whether what a node offers is the pinned toolchain. */
export function serves(fingerprint: string | undefined, pin: string): boolean {
  if (fingerprint === undefined) return false;
  return fingerprint === pin || (fingerprint.length > pin.length && saidOf(fingerprint) === pin);
}

/** A fingerprint without the part that speaks of files. */
function saidOf(fingerprint: string): string {
  const parts = fingerprint.split("/");
  return parts.length === 4 ? parts.slice(0, 3).join("/") : fingerprint;
}

/** What keeps an offer from serving a demand, behind the node's name; undefined when nothing does. */
export function lackOf(demand: Demand, fingerprint: string | undefined): string | undefined {
  const { name, bounds, target, exact } = demand;
  if (fingerprint === undefined)
    return bounds.length === 0 ? `lacks ${name}` : `lacks ${name} (${boundsText(bounds)})`;
  const offer = readOffer(fingerprint);
  if (!within(offer.version, bounds))
    return offer.version === undefined
      ? `has a ${name} of unknown version, ${boundsText(bounds)} is needed`
      : `has ${name} ${offer.version}, ${boundsText(bounds)} is needed`;
  if (target !== undefined && offer.target !== target)
    return offer.target === undefined
      ? `has a ${name} that compiles for no target, ${target} is needed`
      : `has a ${name} for ${offer.target}, not for ${target}`;
  if (exact && offer.exact === undefined) return `has not read the files of ${name} yet`;
  return undefined;
}

/** How what a node offers differs from what is pinned, behind the node's name; undefined when it serves. */
export function differenceOf(name: string, fingerprint: string | undefined, pin: string): string | undefined {
  if (serves(fingerprint, pin)) return undefined;
  const wanted = readOffer(pin);
  if (fingerprint === undefined)
    return wanted.version === undefined ? `lacks ${name}` : `lacks ${name} ${wanted.version}`;
  const offer = readOffer(fingerprint);
  if (offer.version !== wanted.version)
    return `has ${name} ${offer.version ?? "of unknown version"}, ${wanted.version ?? "another"} is needed`;
  if (offer.target !== wanted.target)
    return `has ${name} for ${offer.target ?? "no target"}, for ${wanted.target ?? "none"} is needed`;
  const version = offer.version === undefined ? "" : ` ${offer.version}`;
  if (wanted.exact === undefined || offer.said !== wanted.said)
    return `has another ${name}${version} (or with another assembler, linker or C library)`;
  return offer.exact === undefined
    ? `has not read the files of ${name} yet`
    : `has another ${name}${version}: its files differ`;
}

/** All that a node compiles for, its native target first, the others sorted. */
export function targetsOf(native: string, toolchains: Readonly<Record<string, string>>): string[] {
  const others = new Set<string>();
  for (const fingerprint of Object.values(toolchains)) {
    const { target } = readOffer(fingerprint);
    if (target !== undefined && target !== native) others.add(target);
  }
  return [native, ...[...others].sort(byText)];
}
