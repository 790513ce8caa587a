/** What a daemon is told: config.yaml in its home, overridden by SWARMD_* in the environment, overridden by flags. */
import { availableParallelism, hostname } from "node:os";
import { multiaddr } from "@multiformats/multiaddr";
import { z } from "zod";
import { SpecError } from "../protocol/build/problem.ts";
import { readSource } from "../protocol/build/source.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { declaredToolsSchema } from "./build/tool-names.ts";
import { readSmallFile } from "./files.ts";
import { schedulingDefaults, schedulingFromText, schedulingShape } from "./scheduling.ts";

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

const schema = z.strictObject({
  /** Multiaddrs to listen on. */
  listen: z.array(address).min(1).max(addressesMax),
  /** Multiaddrs that others are told besides those the node finds out itself. */
  announce: z.array(address).max(addressesMax),
  /** Actions run at once; 0 builds nothing. */
  slots: z.int().min(0).max(4096),
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
  /** Looks for members on the LAN; absent: unless it listens on loopback alone. */
  mdns: z.boolean().optional(),
  /** Tools beside the well-known ones. */
  toolchains: declaredToolsSchema,
  ...schedulingShape,
});

export type Config = z.infer<typeof schema> & { readonly mdns: boolean };
export type ConfigKey = keyof Config;

/** Flags as the command line gives them: text, or what it made of text; absent keys say nothing. */
export type ConfigFlags = Partial<Record<ConfigKey, unknown>>;

export const configKeys = Object.keys(schema.shape) as ConfigKey[];

/** `unsafeNoSandbox` → `SWARMD_UNSAFE_NO_SANDBOX`. */
export const environmentNameOf = (key: ConfigKey): string =>
  `SWARMD_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/**
 * The configuration in force. Throws `usage`, naming the file, variable or flag at fault.
 *
 * @param file config.yaml; it may be missing
 */
export async function loadConfig({
  file,
  env,
  flags,
}: {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: ConfigFlags;
}): Promise<Config> {
  const told: Partial<Record<ConfigKey, unknown>> = defaults();
  const origins = new Map<string, string>();
  const layers: [origin: (key: string) => string, values: Readonly<Record<string, unknown>>][] = [
    [(key) => `${file}: ${key}`, await readConfigFile(file)],
    [(key) => environmentNameOf(key as ConfigKey), fromEnvironment(env)],
    [(key) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, flags],
  ];
  for (const [origin, values] of layers)
    for (const [key, value] of Object.entries(values)) {
      if (value === undefined) continue;
      if (!configKeys.includes(key as ConfigKey))
        throw new SwarmError("usage", `${origin(key)} is not a setting`, {
          remedy: `the settings are ${configKeys.join(", ")}`,
        });
      told[key as ConfigKey] = typeof value === "string" ? fromText(key as ConfigKey, value) : value;
      origins.set(key, origin(key));
    }
  const parsed = schema.safeParse(told);
  if (parsed.success) {
    const config = parsed.data;
    if (config.fenced && config.labels.length === 0)
      throw new SwarmError(
        "usage",
        `${origins.get("fenced") ?? "fenced"}: a fenced node without labels takes nothing`,
        {
          remedy: "give it labels that actions may ask for: labels: [gpu]",
        },
      );
    return { ...config, mdns: config.mdns ?? !config.listen.every(isLoopback) };
  }
  const issue = parsed.error.issues[0]!;
  const key = String(issue.path[0]);
  throw new SwarmError("usage", `${origins.get(key) ?? key}: ${issue.message}`);
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

const isLoopback = (text: string) => /^\/(ip4\/127\.|ip6\/::1\/|dns[46]?\/localhost\/)/.test(text);

const defaults = (): z.infer<typeof schema> => ({
  listen: ["/ip4/0.0.0.0/tcp/4701", "/ip6/::/tcp/4701"],
  announce: [],
  slots: availableParallelism(),
  name: nodeNameOf(hostname()),
  sandbox: "auto",
  unsafeNoSandbox: false,
  logLevel: "info",
  toolchains: {},
  ...schedulingDefaults(),
});

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const key of configKeys) {
    const value = env[environmentNameOf(key)];
    if (value !== undefined && value !== "") values[key] = value;
  }
  return values;
}

/** Text of the environment or a flag as what the setting wants; what does not fit is left for the schema to refuse. */
function fromText(key: ConfigKey, text: string): unknown {
  switch (key) {
    case "listen":
    case "announce":
      return text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
    case "slots":
      return /^[0-9]+$/.test(text) ? Number(text) : text;
    case "unsafeNoSandbox":
    case "mdns":
      return (
        ({ 1: true, true: true, yes: true, 0: false, false: false, no: false } as Record<string, boolean>)[
          text.toLowerCase()
        ] ?? text
      );
    case "toolchains":
      return toolsFromText(text);
    default:
      return key in schedulingShape ? schedulingFromText(key, text) : text;
  }
}

/** `ocamlc,mycc=/opt/mycc`: names, with a folder where they lie in one. */
const toolsFromText = (text: string): unknown =>
  Object.fromEntries(
    text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "")
      .map((item) => {
        const at = item.indexOf("=");
        return at < 0 ? [item, null] : [item.slice(0, at), item.slice(at + 1)];
      }),
  );

async function readConfigFile(file: string): Promise<Record<string, unknown>> {
  const text = await readSmallFile(file, configBytesMax);
  return text === undefined ? {} : readConfig(text, file);
}

/** What the text of a config.yaml says, its settings not yet judged. Throws `usage` with file, line and column. */
export function readConfig(text: string, file: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = readSource(text, file).data;
  } catch (cause) {
    if (!(cause instanceof SpecError)) throw cause;
    const { line, column, message, hint } = cause.problems[0]!;
    const named = (words: string) => words.replaceAll(/\b(the|a) spec\b/g, "$1 file");
    throw new SwarmError("usage", `${file}:${line}:${column}: ${named(message)}`, {
      cause,
      remedy: hint?.includes("specs/spec.md") ? undefined : hint && named(hint),
    });
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== "object" || Array.isArray(content))
    throw new SwarmError("usage", `${file}: settings are written as "name: value"`);
  return content as Record<string, unknown>;
}
