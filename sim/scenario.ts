/** A question to the simulator, as a person writes it: machines, work, how messages travel, what goes wrong, how to schedule (specs/scenario.md). */
import { z } from "zod";
import { copyPolicies, modes, policies, type Scheduling, scoreParts } from "../protocol/swarm/policy.ts";
import {
  type Cluster,
  clusterOfKinds,
  clusterSchema,
  kindsSchema,
  latencySecondsDefault,
  possible,
} from "./cluster.ts";
import { checked, type Document, readDocument, refusalAt } from "./document.ts";
import { type Fault, faultSchema } from "./faults.ts";
import { type Rival, rivals } from "./rivals/rivals.ts";
import { type Synthetic, syntheticKeys } from "./synthetic.ts";
import { type Column, columns } from "./tally.ts";

const scenarioCharsMax = 1 << 20;
const seedsMax = 1000;
const variantsMax = 32;
/** How old what one hears of others is. */
export const gossipAgeMsDefault = 20;
const unitMs = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
/** Virtual time after which a build counts as stuck. */
export const limitMsDefault = 24 * 3_600_000;
const durationMsMax = 7 * 24 * 3_600_000;

/** Milliseconds of `20ms`, `1.5s`, `1h30m`; undefined for anything else and for more than a week. */
export function durationOf(text: string): number | undefined {
  if (!/^([0-9]{1,9}(\.[0-9]{1,3})?(us|ms|s|m|h))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([0-9.]+)(us|ms|s|m|h)/g))
    ms += Number(count) * unitMs[unit as keyof typeof unitMs];
  return ms <= durationMsMax ? ms : undefined;
}

const duration = z
  .string("must be a time such as 20ms or 1h30m")
  .refine((text) => durationOf(text) !== undefined, "must be a time such as 20ms or 1h30m, at most a week")
  .transform((text) => durationOf(text)!);
const fileName = z.string().min(1).max(4096);
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "must be small letters, digits, dots and dashes, at most 64");
const weights = z.strictObject(
  Object.fromEntries(scoreParts.map((part) => [part, z.number().min(0).max(1).optional()])) as Record<
    (typeof scoreParts)[number],
    z.ZodOptional<z.ZodNumber>
  >,
);

/** What of the daemons' own scheduling a scenario may set; it is the same on every node. */
const scheduling = z.strictObject({
  weights: weights.optional(),
  temperatureCelsiusMax: z.number().min(0).max(200).optional(),
  pressurePercentMax: z.number().min(0).max(100).optional(),
  sustained: duration.optional(),
  standbyHoldOff: duration.optional(),
  ownerSlots: z.int().nonnegative().max(1024).optional(),
  twinAfter: z.number().nonnegative().max(1000).optional(),
  copies: z.enum(copyPolicies).optional(),
});

const variant = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9 ._-]{0,63}$/,
      "must be small letters, digits, blanks, dots and dashes, at most 64",
    ),
  modes: z.array(z.enum(modes)).min(1).max(modes.length).optional(),
  scheduling: scheduling.optional(),
  rival: z.enum(rivals).optional(),
  latency: duration.optional(),
  gossipAge: duration.optional(),
  faults: z.array(faultSchema).max(1000).optional(),
});

/** What the swarm knows from earlier builds. */
const history = z.union([z.enum(["exact", "none"]), z.number().min(0).max(2)], {
  error: "must be exact, none, or the share by which it is off, such as 0.3",
});
export type History = z.infer<typeof history>;

const schema = z.strictObject({
  scenario: z.literal(1, "must be 1: the version of the format"),
  name,
  about: z.string().max(4096).default(""),
  cluster: z.strictObject({
    file: fileName.optional(),
    nodes: clusterSchema.shape.nodes.optional(),
    kinds: kindsSchema.shape.kinds.optional(),
  }),
  /** How single nodes take work. */
  nodes: z
    .record(
      z.string().max(63),
      z.strictObject({ policy: z.enum(policies).optional(), fenced: z.boolean().optional() }),
    )
    .default({}),
  workload: z.strictObject({
    file: fileName.optional(),
    spec: fileName.optional(),
    /** Of a spec: what an action takes at speed 1, by group; `other` for the rest. */
    takes: z.record(z.string().max(256), duration).optional(),
    /** Of a made-up one: what an action takes at speed 1, on average; 1s. */
    work: duration.optional(),
    ...syntheticKeys,
  }),
  latency: duration.optional(),
  gossipAge: duration.optional(),
  modes: z.array(z.enum(modes)).min(1).max(modes.length).default(["unified"]),
  scheduling: scheduling.default({}),
  rival: z.enum(rivals).default("steward"),
  history: history.default("exact"),
  faults: z.array(faultSchema).max(1000).default([]),
  variants: z.array(variant).min(1).max(variantsMax).optional(),
  seeds: z
    .union(
      [
        z.int().min(1).max(seedsMax),
        z
          .array(
            z
              .int()
              .min(0)
              .max(2 ** 31),
          )
          .min(1)
          .max(seedsMax),
      ],
      {
        error: `must be how many (1 to ${seedsMax}), or a list of them`,
      },
    )
    .default(3),
  /** Virtual time after which a build counts as stuck. */
  limit: duration.optional(),
  report: z.array(z.enum(columns)).min(1).max(columns.length).optional(),
});
type Form = z.infer<typeof schema>;

export type WorkloadSource =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "spec"; readonly file: string; readonly takesMs: ReadonlyMap<string, number> }
  | { readonly kind: "synthetic"; readonly synthetic: Synthetic };

/** One way to run it; a report has a row for each. */
export interface Variant {
  readonly name: string;
  readonly scheduling: Partial<Scheduling> & Pick<Scheduling, "mode">;
  /** How work is shared out; daemons know `steward` alone. */
  readonly rival: Rival;
  /** Undefined: the cluster's own. */
  readonly latencyMs: number | undefined;
  readonly gossipAgeMs: number;
  readonly faults: readonly Fault[];
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly cluster: { readonly file: string } | { readonly cluster: Cluster };
  readonly nodes: Readonly<Record<string, Pick<Partial<Scheduling>, "policy" | "fenced">>>;
  readonly workload: WorkloadSource;
  readonly variants: readonly Variant[];
  readonly history: History;
  readonly seeds: readonly number[];
  readonly limitMs: number;
  readonly report: readonly Column[] | undefined;
  /** Refuses a fault or a trait of a node that the cluster does not have, at its place. */
  readonly check: (cluster: Cluster) => void;
}

/** A scenario from its text. File names in it stay as they are written. Throws `spec-invalid` at line and column, `too-large`. */
export function readScenario(text: string, file: string): Scenario {
  const document = readDocument(text, file, "scenario", scenarioCharsMax);
  const form = checked(document, schema);
  const seeds =
    typeof form.seeds === "number" ? Array.from({ length: form.seeds }, (_, i) => i + 1) : form.seeds;
  return {
    name: form.name,
    about: form.about.trim(),
    cluster: clusterIn(form, document),
    nodes: form.nodes,
    workload: workloadIn(form, document),
    variants: variantsIn(form, document),
    history: form.history,
    seeds,
    limitMs: form.limit ?? limitMsDefault,
    report: form.report,
    check: (cluster) => checkNames(form, cluster, document),
  };
}

/** Row of a mode: the scenario's own settings with one mode. */
const variantName = (variant: string | undefined, mode: string, several: boolean): string =>
  variant === undefined ? mode : several ? `${variant} ${mode}` : variant;

function variantsIn(form: Form, document: Document): Variant[] {
  const seen = new Set<string>();
  const all: (Partial<z.infer<typeof variant>> | undefined)[] = form.variants ?? [undefined];
  return all.flatMap((own, i) => {
    if (own?.name !== undefined && seen.has(own.name))
      throw refusalAt(document, ["variants", i, "name"], `two variants are named ${own.name}`);
    if (own?.name !== undefined) seen.add(own.name);
    const ofModes = own?.modes ?? form.modes;
    return ofModes.map((mode) => ({
      name: variantName(own?.name, mode, ofModes.length > 1),
      scheduling: { ...schedulingOf({ ...form.scheduling, ...own?.scheduling }), mode },
      rival: own?.rival ?? form.rival,
      latencyMs: own?.latency ?? form.latency,
      gossipAgeMs: own?.gossipAge ?? form.gossipAge ?? gossipAgeMsDefault,
      faults: own?.faults ?? form.faults,
    }));
  });
}

function schedulingOf(form: z.infer<typeof scheduling>): Partial<Scheduling> {
  const { weights: some, sustained, standbyHoldOff, ...rest } = form;
  const zero = Object.fromEntries(scoreParts.map((part) => [part, 0])) as Scheduling["weights"];
  return {
    ...rest,
    ...(some ? { weights: { ...zero, ...some } } : {}),
    ...(sustained === undefined ? {} : { sustainedMs: sustained }),
    ...(standbyHoldOff === undefined ? {} : { standbyHoldOffMs: standbyHoldOff }),
  };
}

function clusterIn(form: Form, document: Document): Scenario["cluster"] {
  const { file, kinds, nodes } = form.cluster;
  const given = [file, kinds, nodes].filter((part) => part !== undefined);
  if (given.length !== 1)
    throw refusalAt(
      document,
      ["cluster"],
      "a cluster is one of file, kinds or nodes",
      "cluster: {file: c32.json}",
    );
  if (file !== undefined) return { file };
  const traits = { name: form.name, latency_s: latencySecondsDefault };
  const cluster = kinds ? clusterOfKinds({ ...traits, kinds }) : { ...traits, nodes: nodes ?? [] };
  possible(cluster, document, ["cluster"]);
  return { cluster };
}

function workloadIn(form: Form, document: Document): WorkloadSource {
  const { file, spec, takes, ...rest } = form.workload;
  const given = [file, spec, rest.shape].filter((part) => part !== undefined);
  const example = "workload: {shape: layered, layers: 8, width: 40, work: 1s}";
  if (given.length !== 1)
    throw refusalAt(document, ["workload"], "a workload is one of file, spec or shape", example);
  if (rest.shape === undefined && Object.keys(rest).length > 0)
    throw refusalAt(
      document,
      ["workload", Object.keys(rest)[0]!],
      "only a made-up workload (shape) takes this",
      example,
    );
  if (takes && spec === undefined)
    throw refusalAt(document, ["workload", "takes"], "only the workload of a spec needs this");
  if (file !== undefined) return { kind: "file", file };
  if (spec !== undefined) return { kind: "spec", file: spec, takesMs: new Map(Object.entries(takes ?? {})) };
  const { work: workMs = 1000, shape, ...others } = rest;
  return { kind: "synthetic", synthetic: { ...others, shape: shape!, workMs } };
}

/** Names of nodes that stand in faults and traits. */
function checkNames(form: Form, cluster: Cluster, document: Document): void {
  const known = new Set(cluster.nodes.map((node) => node.id));
  const look = (value: unknown, path: (string | number)[]): void => {
    if (typeof value === "string" && !known.has(value))
      throw refusalAt(
        document,
        path,
        `no node of the cluster is named ${value}`,
        `its nodes: ${[...known].slice(0, 6).join(", ")}`,
      );
    if (Array.isArray(value)) for (const [i, one] of value.entries()) look(one, [...path, i]);
  };
  const inFaults = (faults: readonly Fault[] | undefined, path: (string | number)[]) =>
    faults?.forEach((fault, i) => {
      for (const key of ["host", "hosts", "from", "to"])
        look((fault as Record<string, unknown>)[key], [...path, i, key]);
    });
  inFaults(form.faults, ["faults"]);
  for (const [i, one] of form.variants?.entries() ?? []) inFaults(one.faults, ["variants", i, "faults"]);
  for (const id of Object.keys(form.nodes)) look(id, ["nodes", id]);
}
