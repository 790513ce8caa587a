/** Which nodes may build an action, by what they offer and what it asks for; if none may, what is missing and who comes nearest. */
import type { GraphAction } from "../build/graph.ts";
import { differenceOf, serves } from "../build/toolchain.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { Vitals } from "../swarm/vitals.ts";

/** Below this a node takes nothing new: an action needs somewhere to write. */
export const diskFreeBytesMin = 256 << 20;

/** Something an action needs and a node has not. */
export interface Shortfall {
  /** Behind the node's name: `has 8 slots, 16 are needed`. */
  readonly text: string;
  /** It will not pass by waiting: the machine is not made for it. */
  readonly never: boolean;
  /** How much of what is needed the node has, 0 to 1. */
  readonly share: number;
}

/** Slots that an action takes on a node that has `slots` now: what it asks for, but no more than there are while they are cut. */
export const slotsFor = (action: Pick<GraphAction, "requires">, slots: number): number =>
  Math.min(action.requires?.cpus ?? 1, Math.max(1, slots));

/** Whether an action takes more of a node than one slot: it is begun where it fits, never behind others. */
export const isHeavy = ({ requires }: Pick<GraphAction, "requires">): boolean =>
  requires !== undefined && ((requires.cpus ?? 1) > 1 || (requires.memoryBytes ?? 0) > 0);

/** Why a node may not build an action, behind its name; undefined when it may. Whether it has its hands full now is for `busy`. */
export function ineligible(vitals: Vitals, action: GraphAction, submitter: PeerId): string | undefined {
  for (const check of checks) {
    const found = check(vitals, action, submitter);
    if (found) return found.text;
  }
  return undefined;
}

/** Everything that keeps a node from an action, not the first alone. */
export const shortfalls = (vitals: Vitals, action: GraphAction, submitter: PeerId): Shortfall[] =>
  checks.flatMap((check) => check(vitals, action, submitter) ?? []);

/** Why an action that a node may build does not fit beside what runs there; undefined when it does. `takenSlots`, `takenBytes`: in hand there. */
export function busy(
  vitals: Vitals,
  action: GraphAction,
  takenSlots: number,
  takenBytes: number,
): string | undefined {
  const slots = slotsFor(action, vitals.slots);
  const free = vitals.slots - takenSlots;
  if (slots > free) return `has ${Math.max(0, free)} of ${vitals.slots} slots free, ${slots} are needed`;
  const bytes = action.requires?.memoryBytes ?? 0;
  // What others asked for and have not touched yet looks free; what they use beyond it does not.
  const freeBytes = Math.min(vitals.memoryFreeBytes, vitals.memoryTotalBytes - takenBytes);
  if (bytes > freeBytes) return `has ${size(freeBytes)} of memory free, ${size(bytes)} are needed`;
  return undefined;
}

/** A node and what keeps it from an action. */
export interface Unfit {
  readonly name: string;
  readonly shortfalls: readonly Shortfall[];
}

/** Why nobody may build an action: what keeps the node that comes nearest, or that it only has to wait. */
export function whyNobody(unfit: readonly Unfit[]): string {
  const [first] = [...unfit].sort(
    (a, b) =>
      count(a, true) - count(b, true) ||
      a.shortfalls.length - b.shortfalls.length ||
      share(b) - share(a) ||
      (a.name < b.name ? -1 : 1),
  );
  if (!first) return "no node is heard of";
  const lacking = first.shortfalls.map((s) => s.text).join(", ");
  const others = unfit.length - 1;
  const rest =
    others === 0
      ? ""
      : `; ${others} other${others === 1 ? "" : "s"} lack${others === 1 ? "s" : ""} as much or more`;
  return count(first, true) === 0
    ? `waits: ${first.name} ${lacking}${rest}`
    : `no node fits; ${first.name} comes nearest: it ${lacking}${rest}`;
}

const count = (unfit: Unfit, never: boolean) => unfit.shortfalls.filter((s) => s.never === never).length;
const share = (unfit: Unfit) => Math.min(1, ...unfit.shortfalls.map((s) => s.share));

type Check = (vitals: Vitals, action: GraphAction, submitter: PeerId) => Shortfall | undefined;

const never = (text: string, share = 0): Shortfall => ({ text, never: true, share });
const later = (text: string, share = 0): Shortfall => ({ text, never: false, share });

const limits: Readonly<Record<string, string>> = {
  disk: "cannot write to its disk",
  space: "is out of disk",
  clone: "runs twice, on two machines",
  hot: "is too hot",
  pressure: "is under pressure",
  owner: "is in use by its owner",
  standby: "stands by while others work",
  paused: "is paused",
  drained: "is drained",
  grounded: "is grounded",
  stopping: "is going down",
};

const tools = new WeakMap<GraphAction, readonly (readonly [string, string])[]>();

/** The toolchains of an action, listed once: this is asked for each node and moment. */
function toolsOf(action: GraphAction): readonly (readonly [string, string])[] {
  let listed = tools.get(action);
  if (!listed) {
    listed = Object.entries(action.toolchains);
    tools.set(action, listed);
  }
  return listed;
}

const checks: readonly Check[] = [
  ({ slots, slotsMax, limitedBy }) => {
    if (slots > 0) return undefined;
    const declared = slotsMax ?? slots;
    if (declared === 0) return never("has no slots");
    return later(limits[limitedBy ?? ""] ?? "takes no work now", 1);
  },
  ({ slots, slotsMax }, { requires }) => {
    const cpus = requires?.cpus ?? 1;
    const most = slotsMax ?? slots;
    return cpus > most && most > 0 ? never(`has ${most} slots, ${cpus} are needed`, most / cpus) : undefined;
  },
  ({ memoryTotalBytes }, { requires }) => {
    const bytes = requires?.memoryBytes ?? 0;
    return bytes > memoryTotalBytes
      ? never(`has ${size(memoryTotalBytes)} of memory, ${size(bytes)} are needed`, memoryTotalBytes / bytes)
      : undefined;
  },
  ({ target }, { requires }) =>
    requires?.target !== undefined && requires.target !== target
      ? never(`builds for ${target}, not for ${requires.target}`)
      : undefined,
  ({ labels }, { requires }) => {
    const wanted = requires?.labels ?? [];
    const missing = wanted.filter((label) => !labels.includes(label));
    return missing.length > 0
      ? never(`lacks the label ${missing.join(", ")}`, 1 - missing.length / wanted.length)
      : undefined;
  },
  ({ fenced, labels }, { requires }) =>
    fenced && !(requires?.labels ?? []).some((label) => labels.includes(label))
      ? never(`takes only what asks for ${labels.join(" or ") || "a label"}`)
      : undefined,
  ({ toolchains }, action) => {
    const wanted = toolsOf(action);
    if (wanted.every(([name, pin]) => serves(toolchains[name], pin))) return undefined;
    const differences = wanted.flatMap(([name, pin]) => differenceOf(name, toolchains[name], pin) ?? []);
    const absent = wanted.filter(([name]) => toolchains[name] === undefined).length;
    // Another version is nearer than none at all.
    return never(differences.join(", "), 1 - (differences.length + absent) / (2 * wanted.length));
  },
  ({ secrets = [] }, action) => {
    const wanted = action.secrets ?? [];
    const missing = wanted.filter((name) => !secrets.includes(name));
    return missing.length > 0
      ? never(
          `was not given the secret ${missing.join(", ")} (there: swarmd secret set ${missing[0]})`,
          1 - missing.length / wanted.length,
        )
      : undefined;
  },
  ({ peer }, { checks }) =>
    checks?.by.includes(peer) ? never("came to the result that is checked") : undefined,
  // What is checked by rebuilding is the work of whoever submitted it first.
  ({ foreign, peer }, { checks }, submitter) =>
    !foreign && (peer !== submitter || checks)
      ? never("has no sandbox and takes only its own work", 0.5)
      : undefined,
  ({ diskFreeBytes, diskTotalBytes, limitedBy }, { requires }) => {
    const bytes = Math.max(diskFreeBytesMin, requires?.diskBytes ?? 0);
    if (diskFreeBytes >= bytes || (limitedBy === "space" && bytes === diskFreeBytesMin)) return undefined;
    if (diskFreeBytes < diskFreeBytesMin && bytes === diskFreeBytesMin) return later("is out of disk");
    const text = `has ${size(diskFreeBytes)} of disk free, ${size(bytes)} are needed`;
    return diskTotalBytes < bytes ? never(text, diskTotalBytes / bytes) : later(text, diskFreeBytes / bytes);
  },
];

function size(bytes: number): string {
  const gib = Math.max(0, bytes) / 2 ** 30;
  return gib >= 10
    ? `${Math.round(gib)} GiB`
    : gib >= 0.1
      ? `${Math.round(gib * 10) / 10} GiB`
      : `${Math.round(gib * 1024)} MiB`;
}
