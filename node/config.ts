/** What a daemon is told: config.yaml in its home, overridden by SWARMD_* in the environment, overridden by flags (settings.ts lists them). */
import { multiaddr } from "@multiformats/multiaddr";
import { z } from "zod";
import { nearest } from "../protocol/build/nearest.ts";
import { SpecError } from "../protocol/build/problem.ts";
import { type DataPath, readSource, type Source } from "../protocol/build/source.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { declaredToolsSchema } from "./build/tool-names.ts";
import { readSmallFile } from "./files.ts";
import { isLoopbackAddress } from "./listener.ts";
import { riskPolicyShape } from "./release/policy.ts";
import { schedulingShape } from "./scheduling.ts";
import { environmentNameOf, type SettingKey, settingFromText, settingKeys, settingOf } from "./settings.ts";

const configBytesMax = 64 << 10;
const addressesMax = 16;

const address = z.string().transform((text, context) => {
  const found = multiaddrOf(text);
  if (found !== undefined) return found;
  context.addIssue({
    code: "custom",
    message: `${JSON.stringify(text)} is no address; write host:port or a multiaddr such as /ip4/192.0.2.7/tcp/4701`,
  });
  return z.NEVER;
});

/** What each setting may be; what it is for stands in settings.ts. */
/** What others are told must be something they can dial. */
const announced = address.refine(
  (text) =>
    /^\/(ip[46]|dns[46]?)\/[^/]+\/tcp\/[1-9][0-9]*(\/p2p\/[^/]+)?$/.test(text) &&
    !/^\/(ip4\/0\.0\.0\.0|ip6\/::)\//.test(text),
  {
    error: ({ input }) => `${JSON.stringify(input)} is nothing that others can dial: name a host and a port`,
  },
);

const schema = z.strictObject({
  /** Multiaddrs to listen on. */
  listen: z.array(address).min(1).max(addressesMax),
  /** Multiaddrs that others are told besides those the node finds out itself. */
  announce: z.array(announced).max(addressesMax),
  /** Where released files are served; absent: nowhere. */
  binhostListen: z
    .string()
    .regex(
      /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/,
      "write host:port, as 0.0.0.0:8480 or [::]:8480",
    )
    .optional(),
  /** The folder of released epochs; absent: by the home. */
  binhostPath: z.string().startsWith("/", "write an absolute path").max(4096).optional(),
  /** Where the gateway listens; `no`: nowhere. */
  gatewayListen: z
    .string()
    .regex(
      /^(no|(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5})$/,
      "write host:port, as 127.0.0.1:4780 or [::1]:4780, or no",
    ),
  /** Names of this machine that browsers may ask the gateway for. */
  gatewayHosts: z
    .array(z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, "write a host's name or address"))
    .max(addressesMax),
  /** Its content is the gateway's token. */
  gatewayTokenFile: z.string().startsWith("/", "write an absolute path").max(4096).optional(),
  /** For a small board: little memory, few writes, only live builds kept. */
  small: z.boolean(),
  /** Actions run at once; 0 builds nothing. */
  slots: z.int().min(0).max(4096),
  /** Bytes for all actions together; absent: what the machine has. */
  memory: z
    .int("a size is written as 512M or 8G")
    .min(64 << 20, "at least 64M")
    .optional(),
  /** How far actions stand back for other programs. */
  nice: z.int().min(0).max(19),
  /** The node's name, for a home that is yet to be made. */
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
    message: "lower-case letters, digits and inner dashes, at most 63",
  }),
  sandbox: z.enum(["auto", "bubblewrap", "none"]),
  /** Runs what others submitted even without a sandbox. */
  unsafeNoSandbox: z.boolean(),
  logLevel: z.enum(["error", "warn", "info", "debug"]),
  /** The file system whose room the node watches; absent: the home's. */
  diskPath: z.string().startsWith("/").max(4096).optional(),
  /** Bytes for artifacts; absent: a tenth of the disk. */
  artifactBytesMax: z
    .int("a size is written as 512M or 8G")
    .min(16 << 20, "at least 16M")
    .optional(),
  /** Bytes that artifacts leave free; absent: by the disk's size. */
  diskFreeBytesMin: z.int("a size is written as 512M or 8G").min(0).optional(),
  /** Ended builds stay in full so long; 0: for good. */
  timelineKeptMs: z
    .number("a time: 30d, 90d or 365d; 0 keeps them for good")
    .min(0)
    .max(100 * 365 * 86_400_000),
  /** Output of actions stays so long. */
  logsKeptMs: z
    .number("a time: 30s, 5m or 90d")
    .min(0)
    .max(100 * 365 * 86_400_000),
  /** And as many bytes of it. */
  logsBytesMax: z.int("a size is written as 512M or 8G").min(0),
  /** Looks for members on the LAN; absent: unless it listens on loopback alone. */
  mdns: z.boolean().optional(),
  /** Tools beside the well-known ones. */
  toolchains: declaredToolsSchema,
  /** Bytes of what the node's core lived through, kept to be lived again; 0: nothing. Absent: 256 MiB, on a small board nothing. */
  recordingBytesMax: z.int("a size is written as 512M or 8G").min(0).optional(),
  /** A collector of OpenTelemetry that is given the trace of each build submitted here; absent: none. */
  otlpEndpoint: z
    .string()
    .max(2048)
    .regex(/^https?:\/\/[^\s]+$/, "write it as http://localhost:4318")
    .optional(),
  /** Rules for errors besides those that come with the project. */
  diagnosis: z.string().startsWith("/", "write an absolute path").max(4096).optional(),
  /** Absolute, or relative to where the daemon was started. */
  logFile: z.string().min(1).max(4096).optional(),
  ...riskPolicyShape,
  ...schedulingShape,
} satisfies Record<SettingKey, z.ZodType>);

export type Config = z.infer<typeof schema> & { readonly mdns: boolean };

/** Flags as the command line gives them: text, or what it made of text; absent keys say nothing. */
export type ConfigFlags = Partial<Record<SettingKey, unknown>>;

/** Where a daemon's settings come from. */
export interface ConfigSources {
  /** config.yaml; it may be missing. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: ConfigFlags;
}

/** Something wrong with what was said. */
export interface ConfigFault {
  /** `FILE:LINE:COLUMN`, `SWARMD_SLOTS` or `--slots`. */
  readonly place: string;
  readonly message: string;
  readonly remedy?: string;
}

/** What all sources come to. */
export interface Told {
  /** Absent when there are faults. */
  readonly config?: Config;
  readonly values: Readonly<Partial<Record<SettingKey, unknown>>>;
  /** Setting → where it was said last; those that are not in it have their defaults. */
  readonly places: ReadonlyMap<SettingKey, string>;
  readonly faults: readonly ConfigFault[];
}

/** The configuration in force. Throws `usage`, naming the file with line and column, the variable or the flag at fault. */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const { config, faults } = await readSettings(sources);
  if (config) return config;
  const [first] = faults;
  throw new SwarmError("usage", faults.map(({ place, message }) => `${place}: ${message}`).join("\n"), {
    remedy: first?.remedy,
  });
}

/** All that is said, and all that is wrong with it. Throws `too-large` for a file that is no config.yaml. */
export async function readSettings({ file, env, flags }: ConfigSources): Promise<Told> {
  const values: Partial<Record<SettingKey, unknown>> = {};
  const placeOf = new Map<SettingKey, (path: DataPath) => string>();
  const faults: ConfigFault[] = [];
  for (const key of settingKeys) values[key] = settingOf(key).fallback;
  const say = (key: string, value: unknown, place: (path: DataPath) => string, keyPlace = place([])) => {
    if (value === undefined) return;
    if (!isSetting(key)) return void faults.push({ place: keyPlace, ...unknownSetting(key) });
    values[key] = typeof value === "string" ? settingFromText(key, value) : value;
    placeOf.set(key, place);
  };
  try {
    const source = await readConfigFile(file);
    for (const [key, value] of Object.entries((source?.data ?? {}) as Record<string, unknown>)) {
      const at = ({ line, column }: { line: number; column: number }) => `${file}:${line}:${column}`;
      say(key, value, (path) => at(source!.placeOf([key, ...path])), at(source!.placeOfKey([key])));
    }
  } catch (thrown) {
    if (!(thrown instanceof ConfigFileError)) throw thrown;
    faults.push(thrown.fault);
  }
  for (const key of settingKeys)
    say(key, env[environmentNameOf(key)] || undefined, () => environmentNameOf(key));
  for (const [key, value] of Object.entries(flags)) say(key, value, () => flagNameOf(key));

  const parsed = schema.safeParse(values);
  for (const issue of parsed.error?.issues ?? []) {
    const [key, ...rest] = issue.path as [SettingKey, ...DataPath];
    const message = wordsOf(issue, rest.length === 0 ? key : undefined);
    const name = [key, ...rest].join(".");
    const best = issue.code === "invalid_value" ? nearestOf(values[key], issue.values) : undefined;
    faults.push({
      place: placeOf.get(key)?.(rest) ?? "default",
      message: `${name}: ${message}`,
      ...(best === undefined ? {} : { remedy: `did you mean ${best}?` }),
    });
  }
  if (parsed.data?.fenced && parsed.data.labels.length === 0)
    faults.push({
      place: placeOf.get("fenced")?.([]) ?? "default",
      message: "fenced: a fenced node without labels takes nothing",
      remedy: "give it labels that actions may ask for: labels: [gpu]",
    });
  const { gatewayListen, gatewayTokenFile } = parsed.data ?? {};
  if (gatewayListen !== undefined && gatewayTokenFile === undefined && isOpenToOthers(gatewayListen))
    faults.push({
      place: placeOf.get("gatewayListen")?.([]) ?? "default",
      message: `gatewayListen: the gateway would be open to all who reach ${gatewayListen}`,
      remedy: "set a token: gatewayTokenFile, a file with 16 characters or more; or listen on 127.0.0.1",
    });
  const places = new Map([...placeOf].map(([key, place]) => [key, place([])]));
  if (!parsed.data || faults.length > 0) return { values, places, faults };
  const config = { ...parsed.data, mdns: parsed.data.mdns ?? !parsed.data.listen.every(isLoopback) };
  return { config, values: config, places, faults };
}

/** What a value should have been, for people; `key`: of the setting as a whole. */
function wordsOf(issue: z.core.$ZodIssue, key: SettingKey | undefined): string {
  if (issue.code === "invalid_type") {
    const kind = key === undefined ? undefined : settingOf(key).kind;
    return `takes ${(kind && wantedBy[kind]) ?? wanted[issue.expected] ?? issue.expected}`;
  }
  if (issue.code === "invalid_value") return `takes ${issue.values.join(", ")}`;
  // Those that say more say it in words of their own.
  if (!/^(Too (big|small)|Invalid)/.test(issue.message)) return issue.message;
  if (issue.code === "too_big") return `at most ${issue.maximum}`;
  if (issue.code === "too_small") return `at least ${issue.minimum}`;
  return issue.message;
}

const wantedBy: Readonly<Record<string, string>> = {
  bytes: "a size: 512M or 8G",
  duration: "a time: 30s, 5m or 1h30m",
};
const wanted: Readonly<Record<string, string>> = {
  number: "a number",
  int: "a whole number",
  boolean: "yes or no",
  string: "text",
  array: "a list",
  object: "names with their values: {name: value}",
  record: "names with their values: {name: value}",
};

const isSetting = (key: string): key is SettingKey => settingKeys.includes(key as SettingKey);

const nearestOf = (said: unknown, values: readonly unknown[]): string | undefined =>
  typeof said === "string" ? nearest(said, values.map(String)) : undefined;

/** `logLevel` → `--log-level`. */
const flagNameOf = (key: string) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function unknownSetting(key: string): { message: string; remedy: string } {
  const best = nearest(key, settingKeys);
  return {
    message: `${key} is not a setting`,
    remedy: best === undefined ? `the settings are ${settingKeys.join(", ")}` : `did you mean ${best}?`,
  };
}

/** `host:port`, `[v6]:port` or a multiaddr, as a multiaddr; undefined for anything else. A name becomes /dns/. */
export function multiaddrOf(text: string): string | undefined {
  if (text.length > 300) return undefined;
  try {
    if (text.startsWith("/")) return multiaddr(text).toString();
    const [, v6, host, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]+)):([0-9]{1,5})$/.exec(text) ?? [];
    if (port === undefined || Number(port) > 65_535) return undefined;
    const kind = v6 ? "ip6" : /^[0-9.]+$/.test(host!) ? "ip4" : "dns";
    return multiaddr(`/${kind}/${v6 ?? host}/tcp/${port}`).toString();
  } catch {
    return undefined;
  }
}

const isOpenToOthers = (listen: string) => listen !== "no" && !isLoopbackAddress(listen);

const isLoopback = (text: string) => /^\/(ip4\/127\.|ip6\/::1\/|dns[46]?\/localhost\/)/.test(text);

/** A file that cannot be read as settings; the message begins with its place. */
class ConfigFileError extends SwarmError {
  readonly fault: ConfigFault;

  constructor(fault: ConfigFault, cause?: unknown) {
    super("usage", `${fault.place}: ${fault.message}`, { cause, remedy: fault.remedy });
    this.fault = fault;
  }
}

async function readConfigFile(file: string): Promise<Source | undefined> {
  const text = await readSmallFile(file, configBytesMax);
  return text === undefined ? undefined : readConfig(text, file);
}

/** What the text of a config.yaml says, its settings not yet judged. Throws `usage` with file, line and column. */
export function readConfig(text: string, file: string): Source {
  let source: Source;
  try {
    source = readSource(text, file);
  } catch (cause) {
    if (!(cause instanceof SpecError)) throw cause;
    const { line, column, message, hint } = cause.problems[0]!;
    const named = (words: string) => words.replaceAll(/\b(the|a) spec\b/g, "$1 file");
    const remedy = hint?.includes("specs/spec.md") ? undefined : hint && named(hint);
    throw new ConfigFileError(
      { place: `${file}:${line}:${column}`, message: named(message), ...(remedy ? { remedy } : {}) },
      cause,
    );
  }
  const { data } = source;
  if (data !== null && data !== undefined && (typeof data !== "object" || Array.isArray(data)))
    throw new ConfigFileError({ place: `${file}:1:1`, message: 'settings are written as "name: value"' });
  return source;
}
