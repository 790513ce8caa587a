/** Versions of tools, as far as they are numbers, and the ranges that a spec asks for. */

/** `12.2` → `[12, 2]`; undefined for what is not one to six numbers with dots between them. */
function partsOf(text: string): number[] | undefined {
  return /^[0-9]{1,9}(\.[0-9]{1,9}){0,5}$/.test(text) ? text.split(".").map(Number) : undefined;
}

export const isVersion = (text: string): boolean => partsOf(text) !== undefined;

/** Below 0 when `a` is the older. A part that is not there counts as 0; what is no version is older than all that are. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  if (!left || !right) return (left ? 1 : 0) - (right ? 1 : 0);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export const operators = [">=", "<=", ">", "<", "="] as const;
type Operator = (typeof operators)[number];

/** One end of a range. `=` means this version and all below it: `= 12` is every 12.x. */
export interface Bound {
  readonly operator: Operator;
  readonly version: string;
}

const holds: Readonly<Record<Operator, (version: string, bound: string) => boolean>> = {
  ">=": (version, bound) => compareVersions(version, bound) >= 0,
  "<=": (version, bound) => compareVersions(version, bound) <= 0,
  ">": (version, bound) => compareVersions(version, bound) > 0,
  "<": (version, bound) => compareVersions(version, bound) < 0,
  "=": (version, bound) => version === bound || version.startsWith(`${bound}.`),
};

/** Whether a version lies within all bounds. Without bounds any does, also one that is not known. */
export const within = (version: string | undefined, bounds: readonly Bound[]): boolean =>
  bounds.every((bound) => version !== undefined && holds[bound.operator](version, bound.version));

/** `>= 12, < 14`; `12` for `= 12`. */
export const boundsText = (bounds: readonly Bound[]): string =>
  bounds.map((b) => (b.operator === "=" ? b.version : `${b.operator} ${b.version}`)).join(", ");
