/** Every setting of a daemon in one table: its key in config.yaml, its variable, its flag, its default, and what it is for. Light: the command line reads it at each start. */
import { availableParallelism, hostname } from "node:os";
import { copyPolicies, modes, policies, defaultScheduling as usual } from "../protocol/swarm/policy.ts";

/** How text of the environment, of a flag or of a quoted value in the file is read. */
type Kind = "text" | "list" | "number" | "switch" | "duration" | "bytes" | "tools" | "weights";

export interface Setting {
  readonly kind: Kind;
  /** What stands for the value in help; absent: the flag alone says yes. */
  readonly value?: string;
  /** For people, without a full stop. */
  readonly text: string;
  /** What holds where nothing is set; undefined: `otherwise` says what. */
  readonly fallback: unknown;
  /** The default in words, where it depends on the machine or on other settings. */
  readonly otherwise?: string;
  /** As it may stand in the file, where the default says too little. */
  readonly example?: string;
  /** Heading in the file, from here on. */
  readonly heading?: string;
}

/** `prefer, normal or avoid`. */
const words = (all: readonly string[]) => `${all.slice(0, -1).join(", ")} or ${all.at(-1)}`;

export const settings = {
  listen: {
    heading: "Network",
    kind: "list",
    value: "address",
    text: "host:port or multiaddr to listen on; may be repeated",
    fallback: ["/ip4/0.0.0.0/tcp/4701", "/ip6/::/tcp/4701"],
  },
  announce: {
    kind: "list",
    value: "address",
    text: "Address to tell others besides those it finds itself; may be repeated",
    fallback: [],
    example: "[build.example:4701]",
  },
  mdns: {
    kind: "switch",
    value: "yes|no",
    text: "Look for members on the LAN",
    fallback: undefined,
    otherwise: "yes, unless it listens on loopback alone",
    example: "yes",
  },
  binhostListen: {
    kind: "text",
    value: "host:port",
    text: "Where released files are served to anyone, read only: 0.0.0.0:8480",
    fallback: undefined,
    otherwise: "they are not served",
    example: '"0.0.0.0:8480"',
  },
  binhostPath: {
    kind: "text",
    value: "dir",
    text: "Where released epochs are laid out, for a web server to read",
    fallback: undefined,
    otherwise: "releases in the home; of root's own home /var/cache/binpkgs",
    example: "/srv/binpkgs",
  },
  releaseBuilders: {
    kind: "number",
    value: "n",
    text: "Members that must have built alike what this node releases, and what follows it",
    fallback: 1,
  },
  releaseSigned: {
    kind: "switch",
    text: "Hold it against a release when packages in it are not signed",
    fallback: false,
  },
  releaseBase: {
    kind: "list",
    value: "sonames",
    text: "Libraries that machines have which install from here, beside those of glibc and gcc: libssl.so.3",
    fallback: [],
    example: "[libssl.so.3]",
  },
  releaseForeign: {
    kind: "list",
    value: "folders",
    text: "Where in packages files of other machines may lie: usr/lib/firmware/",
    fallback: [],
    example: "[usr/lib/firmware/]",
  },
  gatewayListen: {
    kind: "text",
    value: "host:port|no",
    text: "Where browsers and tools read what this node knows; no: nowhere",
    fallback: "127.0.0.1:4780",
  },
  gatewayHosts: {
    kind: "list",
    value: "list",
    text: "Names beside localhost under which browsers may ask for it",
    fallback: [],
    example: "[build.example]",
  },
  gatewayTokenFile: {
    kind: "text",
    value: "file",
    text: "File with the token that whoever reads there must show; needed where others than this machine may",
    fallback: undefined,
    otherwise: "none is needed",
    example: "/etc/swarmd/gateway-token",
  },
  slots: {
    heading: "What this machine gives",
    kind: "number",
    value: "n",
    text: "Actions run at once; 0 builds nothing",
    fallback: availableParallelism(),
    otherwise: "the number of cores",
  },
  memory: {
    kind: "bytes",
    value: "size",
    text: "Memory of all actions together: 8G",
    fallback: undefined,
    otherwise: "what the machine has",
    example: "8G",
  },
  nice: {
    kind: "number",
    value: "n",
    text: "How far actions stand back for other programs: 0 to 19",
    fallback: 0,
  },
  small: {
    kind: "switch",
    text: "For a small board: little memory, few writes to its disk, only live builds kept",
    fallback: false,
  },
  diskPath: {
    kind: "text",
    value: "dir",
    text: "The file system whose room is watched",
    fallback: undefined,
    otherwise: "the home's",
    example: "/srv",
  },
  artifactBytesMax: {
    kind: "bytes",
    value: "size",
    text: "Disk for artifacts: 50G; before they take more, those that nothing needs go",
    fallback: undefined,
    otherwise: "a tenth of the disk",
    example: "50G",
  },
  diskFreeBytesMin: {
    kind: "bytes",
    value: "size",
    text: "Room that artifacts leave to others",
    fallback: undefined,
    otherwise: "5G; of a disk of less than 50G a tenth",
    example: "5G",
  },
  timelineKeptMs: {
    kind: "duration",
    value: "time",
    text: "What was said in builds that ended is kept in full for so long; 0 keeps it for good",
    fallback: 90 * 86_400_000,
  },
  logsKeptMs: {
    kind: "duration",
    value: "time",
    text: "Output of actions that ran here is kept for so long, then it goes",
    fallback: 90 * 86_400_000,
  },
  logsBytesMax: {
    kind: "bytes",
    value: "size",
    text: "Of it the newest is kept that has room in this",
    fallback: 1 << 30,
  },
  sandbox: { kind: "text", value: "kind", text: "auto, bubblewrap or none", fallback: "auto" },
  unsafeNoSandbox: {
    kind: "switch",
    text: "Run what others submit even without a sandbox",
    fallback: false,
  },
  toolchains: {
    kind: "tools",
    value: "list",
    text: "Tools beside the well-known ones: ocamlc,mycc=/opt/mycc",
    fallback: {},
    example: "{mycc: /opt/mycc}",
  },
  policy: {
    heading: "Which work it takes",
    kind: "text",
    value: "policy",
    text: `How much it wants work: ${words(policies)} (only while no primary is there)`,
    fallback: usual.policy,
  },
  labels: {
    kind: "list",
    value: "list",
    text: "What actions may ask for: gpu,big-memory",
    fallback: [],
    example: "[gpu]",
  },
  fenced: {
    kind: "switch",
    text: "Take only actions that ask for one of the labels",
    fallback: usual.fenced,
  },
  mode: {
    kind: "text",
    value: "mode",
    text: `How it weighs nodes against each other: ${words(modes)}`,
    fallback: usual.mode,
  },
  weights: {
    kind: "weights",
    value: "list",
    text: "Of mode weighted: free=2,local=0.5",
    fallback: {},
    example: "{free: 2, local: 0.5}",
  },
  owner: {
    heading: "Its owner, and sleep",
    kind: "text",
    value: "ignore|yield",
    text: "yield: leave the machine to who works at it, to what else runs on it, and to its battery; ignore",
    fallback: "ignore",
  },
  ownerSlots: {
    kind: "number",
    value: "n",
    text: "Slots left to work while the owner is at it",
    fallback: usual.ownerSlots,
  },
  ownerIdleMs: {
    kind: "duration",
    value: "time",
    text: "A terminal counts as its owner's for so long after it was typed into",
    fallback: 5 * 60_000,
  },
  suspend: {
    kind: "text",
    value: "how",
    text: "finish: the machine stays awake while actions run; abandon: it sleeps, they go elsewhere",
    fallback: usual.suspend,
  },
  temperatureCelsiusMax: {
    heading: "Limits",
    kind: "number",
    value: "n",
    text: "At or above it takes nothing new",
    fallback: usual.temperatureCelsiusMax,
  },
  pressurePercentMax: {
    kind: "number",
    value: "n",
    text: "Share of the time in which something waited for memory or the disk (PSI), from which slots halve",
    fallback: usual.pressurePercentMax,
  },
  sustainedMs: {
    kind: "duration",
    value: "time",
    text: "Heat and pressure count once they lasted so long",
    fallback: usual.sustainedMs,
  },
  groundingFailures: {
    kind: "number",
    value: "n",
    text: "So many failures of its own doing ground a node",
    fallback: usual.grounding.failures,
  },
  groundingWindowMs: {
    kind: "duration",
    value: "time",
    text: "Within such a time",
    fallback: usual.grounding.windowMs,
  },
  groundingForMs: { kind: "duration", value: "time", text: "For so long", fallback: usual.grounding.forMs },
  standbyHoldOffMs: {
    kind: "duration",
    value: "time",
    text: "A standby node waits so long after the last primary went",
    fallback: usual.standbyHoldOffMs,
  },
  twinAfter: {
    kind: "number",
    value: "n",
    text: "A run that lasts longer than this times what was expected gets a twin; 0: never",
    fallback: usual.twinAfter,
  },
  copies: {
    kind: "text",
    value: "policy",
    text: `Which results of others that are still needed it keeps a second time: ${words(copyPolicies)}`,
    fallback: usual.copies,
  },
  logLevel: {
    heading: "Log",
    kind: "text",
    value: "level",
    text: "error, warn, info or debug",
    fallback: "info",
  },
  recordingBytesMax: {
    kind: "bytes",
    value: "size",
    text: "Disk for recordings of what the node heard and decided, for swarmd replay --verify; 0 records nothing",
    fallback: undefined,
    otherwise: "256M; on a small board 0",
    example: "256M",
  },
  otlpEndpoint: {
    kind: "text",
    value: "url",
    text: "A collector of OpenTelemetry that gets the trace of each build submitted here, once it has ended",
    fallback: undefined,
    otherwise: "none",
    example: "http://localhost:4318",
  },
  diagnosis: {
    kind: "text",
    value: "dir",
    text: "A folder with rules of your own for known errors (specs/diagnosis)",
    fallback: undefined,
    otherwise: "only those that come with the project",
    example: "/etc/swarmd/diagnosis",
  },
  logFile: {
    kind: "text",
    value: "file",
    text: "Log there, rotated at 16 MiB",
    fallback: undefined,
    otherwise: "standard error; detached: logs/daemon.log in the home",
    example: "/var/log/swarmd.log",
  },
  name: {
    heading: "For a home that is yet to be made",
    kind: "text",
    value: "name",
    text: "The node's name",
    fallback: nodeNameOf(hostname()),
    otherwise: "this machine's",
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingKey = keyof typeof settings;

export const settingKeys = Object.keys(settings) as SettingKey[];

export const settingOf = (key: SettingKey): Setting => settings[key];

/** `unsafeNoSandbox` → `SWARMD_UNSAFE_NO_SANDBOX`. */
export const environmentNameOf = (key: string): string =>
  `SWARMD_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** A host's name made valid as a node's name: `Thomas' PC.local` → `thomas-pc`. */
export function nodeNameOf(host: string): string {
  const name = host
    .split(".")[0]!
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return name || "node";
}

/** The default in words; empty when it is nothing. */
export function fallbackText(key: SettingKey): string {
  const { fallback, otherwise, kind } = settingOf(key);
  if (otherwise !== undefined) return otherwise;
  const isEmpty = typeof fallback === "object" && Object.keys(fallback ?? {}).length === 0;
  return isEmpty ? "" : valueText(fallback, kind);
}

/** A value as it may be written in the file. */
export function valueText(value: unknown, kind: Kind): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (kind === "duration" && typeof value === "number") return durationText(value);
  if (kind === "bytes" && typeof value === "number") return sizeText(value);
  if (Array.isArray(value)) return `[${value.map((one) => scalarText(String(one))).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(
        ([key, one]) => `${key}: ${typeof one === "object" ? JSON.stringify(one) : scalarText(String(one))}`,
      )
      .join(", ")}}`;
  return String(value);
}

const scalarText = (text: string): string => (/[,[\]{}#]|: /.test(text) ? JSON.stringify(text) : text);

function durationText(ms: number): string {
  for (const [unit, unitMs] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ] as const)
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  return ms === 0 ? "0s" : `${ms}ms`;
}

function sizeText(bytes: number): string {
  for (const [unit, unitBytes] of [
    ["G", 2 ** 30],
    ["M", 2 ** 20],
  ] as const)
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  return String(bytes);
}

/** Text of the environment, a flag or a quoted value as what the setting wants; what does not fit is left for whoever judges it. */
export function settingFromText(key: SettingKey, text: string): unknown {
  switch (settingOf(key).kind) {
    case "list":
      return listOf(text);
    case "number":
      return /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
    case "switch":
      return (
        ({ 1: true, true: true, yes: true, 0: false, false: false, no: false } as Record<string, boolean>)[
          text.toLowerCase()
        ] ?? text
      );
    case "duration":
      return durationOf(text);
    case "bytes":
      return bytesOf(text);
    case "tools":
      return toolsOf(text);
    case "weights":
      return weightsOf(text);
    case "text":
      return text;
  }
}

const listOf = (text: string): string[] =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

/** `free=2,local=0.5`. */
const weightsOf = (text: string): unknown =>
  Object.fromEntries(
    text.split(",").map((item) => {
      const [part = "", weight = ""] = item.split("=");
      return [part.trim(), weight.trim() === "" ? weight : Number(weight)];
    }),
  );

/** `ocamlc,mycc=/opt/mycc`: names, with a folder where they lie in one. */
const toolsOf = (text: string): unknown =>
  Object.fromEntries(
    listOf(text).map((item) => {
      const at = item.indexOf("=");
      return at < 0 ? [item, null] : [item.slice(0, at), item.slice(at + 1)];
    }),
  );

/** Milliseconds of a number or of text such as `90s` or `1h30m`. */
function durationOf(text: string): unknown {
  if (/^[0-9]+$/.test(text)) return Number(text);
  if (!/^([0-9]+(ms|s|m|h|d))+$/.test(text)) return text;
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|s|m|h|d)/g))
    ms += Number(count) * unitMs[unit as keyof typeof unitMs];
  return ms;
}

/** Bytes of a number or of text such as `512M` or `1.5G`, in powers of 1024. */
function bytesOf(text: string): unknown {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)([KMGT]?)$/.exec(text) ?? [];
  if (number === undefined) return text;
  return Math.round(Number(number) * 1024 ** " KMGT".indexOf(unit || " "));
}
