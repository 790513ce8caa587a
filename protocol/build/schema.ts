/** The form of a spec: its keys and their types, as zod checks them and as editors learn them from specs/spec.schema.json. */
import { z } from "zod";
import { headerSchema } from "./released.ts";
import { secretPattern } from "./secret.ts";
import { targetPattern } from "./toolchain.ts";

/** A refusal that reads behind the name of the key: "is missing", "must be …". */
const must = (what: string) => ({
  error: (issue: { input?: unknown }) => (issue.input === undefined ? "is missing" : `must be ${what}`),
});

const actionNamePattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
export const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,31}$/;
const specNamePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const envNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const channelPattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
const durationPattern = /^([0-9]{1,6}(ms|s|m|h|d))+$/;
const labelPattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
export const countMax = 100_000;
/** Words that mean something in a spec, so that no variable has them. */
export const reservedNames: ReadonlySet<string> = new Set([
  "in",
  "out",
  "cpus",
  "labels",
  "not",
  "any",
  "except",
  "exclude",
]);

/** A pattern that also lets text through that is only known once values are put in. */
const orTemplate = (pattern: RegExp) => new RegExp(`${pattern.source}|\\$\\{`);
/** The forms of names into which values may be put; they are held to them again afterwards. */
export const rendered = {
  label: { pattern: labelPattern, must: "must be a label, such as gpu" },
  target: { pattern: targetPattern, must: "must be a target, such as aarch64-linux-gnu" },
} as const;

const nonEmpty = z.string(must("text")).min(1, "must not be empty");
const path = nonEmpty.max(4096, "must have at most 4096 characters");
const commandText = nonEmpty.max(128 << 10, "must have at most 131072 characters");
const listOr = <T extends z.ZodType>(item: T, what: string) =>
  z.union([item, z.array(item, must(what)).max(10_000, "must have at most 10000 items")], must(what));
const paths = listOr(path, "a path or a list of paths");
const duration = z
  .string(must("a duration such as 90s, 10m or 1h30m"))
  .regex(durationPattern, "must be a duration such as 90s, 10m or 1h30m");
const sizePattern = /^[0-9]{1,6}(\.[0-9]{1,3})?[KMGT]?$/;
const size = z
  .string(must("a size such as 512M or 4G"))
  .regex(sizePattern, "must be a size such as 512M or 4G");
const label = z.string(must("a label")).regex(orTemplate(labelPattern), rendered.label.must);
const requires = z
  .strictObject(
    {
      cpus: z
        .int(must("a whole number"))
        .min(1, "must be at least 1")
        .max(4096, "must be at most 4096")
        .optional()
        .describe("Slots it takes on a node; 1 if nothing is said."),
      memory: size.optional().describe("Memory it needs for itself, such as 64G."),
      disk: size.optional().describe("Free disk it needs, such as 20G."),
      labels: listOr(label, "a label or a list of labels")
        .optional()
        .describe("Labels a node must have, all of them."),
      target: z
        .string(must("text"))
        .regex(orTemplate(targetPattern), rendered.target.must)
        .optional()
        .describe("What a node must build for without a cross compiler."),
    },
    must("a map of cpus, memory, disk, labels or target"),
  )
  .describe("What a node must have beside the toolchains; an action runs where it fits.");
const retries = z
  .int(must("a whole number from 0 to 100"))
  .min(0, "must be at least 0")
  .max(100, "must be at most 100");
const cache = z.boolean(must("true or false"));
const silence = z.union([duration, z.literal("none")], must("a duration such as 5m, or none"));
const toolText = nonEmpty.max(256, "must have at most 256 characters");
const tool = z.strictObject(
  {
    name: toolText.describe("Of the program, such as g++."),
    version: toolText.optional().describe('A range, such as ">= 12, < 14"; "12" is every 12.x.'),
    target: toolText.optional().describe("What it must compile for, such as aarch64-linux-gnu."),
    exact: z
      .boolean(must("true or false"))
      .optional()
      .describe("true: the content of its files counts, not only what it says of itself."),
  },
  must("a map with name"),
);
const toolchain = listOr(
  z.union([toolText, tool], must('a tool such as gcc or "gcc >= 12", or a map with name')),
  "a tool or a list of them",
).describe(
  "Tools that actions use, such as gcc or gcc >= 12; each is resolved to a fingerprint at submit, which is part of the key.",
);
const env = z
  .record(
    z.string().regex(envNamePattern, "must be the name of an environment variable"),
    z.string(must("text")).max(128 << 10, "must have at most 131072 characters"),
    must("a map of names to text"),
  )
  .describe("Environment variables; an action's own are added to those at the top.");

const input = z.strictObject(
  {
    path: path.optional(),
    archive: path
      .optional()
      .describe("A tar (plain, gzip, xz, zstd) or zip file whose content the input is, in place of path."),
    digest: z
      .string(must("text"))
      .regex(/^(sha256:)?[0-9a-f]{64}$/, "must be a sha256 digest: sha256: and 64 lower-case hex digits")
      .optional()
      .describe("The sha256 that the archive must have."),
    strip: z
      .int(must("a whole number"))
      .min(0, "must be at least 0")
      .max(64, "must be at most 64")
      .optional()
      .describe("So many parts are taken from the beginning of each path in the archive."),
    except: paths.optional().describe("Patterns, relative to the input, of files to leave out."),
  },
  must("a path, or a map with path or archive"),
);
const each = z.union(
  [
    paths,
    z.strictObject({
      values: z.array(nonEmpty, must("a list of texts")).min(1, "must not be empty").max(countMax),
    }),
    z.strictObject({
      count: z
        .int(must("a whole number"))
        .min(1, "must be at least 1")
        .max(countMax, `must be at most ${countMax}`),
    }),
  ],
  must("a pattern, a list of patterns, {values: [...]} or {count: N}"),
);
const variableName = z
  .string()
  .regex(variablePattern, "is no name for a variable: letters, digits and underscores (32 at most)")
  .refine((name) => !reservedNames.has(name), "means something else: give it another name");
const vars = z
  .record(
    variableName,
    listOr(z.string(must("text")), "text or a list of texts"),
    must("a map of names to text"),
  )
  .describe(
    "Variables of this file: their names in braces behind a dollar sign stand for the value, of a list for each item.",
  );
const value = nonEmpty.max(4096, "must have at most 4096 characters");
const matrix = z
  .object(
    {
      exclude: z
        .array(
          z.record(
            z.string(),
            listOr(value, "a value or a list of values"),
            must("a map of variables to values"),
          ),
          must("a list of maps"),
        )
        .max(1000, "must have at most 1000 items")
        .optional()
        .describe("Combinations to leave out: each names variables and their values."),
    },
    must("a map of variables to lists of values"),
  )
  .catchall(listOr(value, "a value or a list of values"))
  .describe(
    "One action for each combination of values, such as target: [x86_64-linux-gnu, aarch64-linux-gnu].",
  );
const tests = listOr(value, "a value, a pattern or a list of them");
const asked = listOr(label, "a label or a list of labels")
  .optional()
  .describe("Holds when some node of the swarm offers one of these labels.");
const condition = z.object({ labels: asked }, must("a map of variables to values")).catchall(tests);
const when = z
  .object(
    {
      labels: asked,
      not: condition.optional().describe("Holds when not all of this holds."),
      any: z
        .array(condition, must("a list of maps"))
        .min(1, "must not be empty")
        .max(100, "must have at most 100 items")
        .optional()
        .describe("Holds when one of these holds."),
    },
    must("a map of variables to values"),
  )
  .catchall(tests)
  .describe("Variables and values (or patterns): the action is left out unless all of it holds.");
const included = z.strictObject(
  {
    file: path.describe("A YAML file, relative to this one."),
    as: z
      .string(must("a name"))
      .regex(actionNamePattern, "must be a name, such as zlib")
      .optional()
      .describe("Stands before the names of its actions, with a dot."),
    with: vars.optional().describe("Values in place of those that the file's own vars give."),
  },
  must("a path, or a map with file, as and with"),
);
const include = z
  .union(
    [path, z.array(z.union([path, included], must("a path, or a map with file, as and with")))],
    must("a path or a list"),
  )
  .describe("Files that bring inputs and actions of their own.");
const priority = z
  .int(must("a whole number from -100 to 100"))
  .min(-100, "must be at least -100")
  .max(100, "must be at most 100");

const promise = z.strictObject(
  {
    like: path.describe("An input folder: the output holds at least the same relative paths."),
    except: paths.optional().describe("Patterns, relative to that folder, of files that are not promised."),
  },
  must("empty, or a map with like and except"),
);

const actionSchema = z.strictObject(
  {
    run: z
      .union(
        [commandText, z.array(commandText).min(1, "must not be empty").max(10_000)],
        must("text or a list of texts"),
      )
      .describe("Text runs in /bin/sh -e; a list is executed as it stands."),
    in: paths
      .optional()
      .describe(
        "Files, folders and patterns that the action reads; also outputs of others, which it then waits for.",
      ),
    out: z
      .union(
        [paths, z.record(path, z.union([z.null(), promise], must("empty, or a map with like and except")))],
        must("a path, a list of paths, or a map of paths"),
      )
      .optional()
      .describe("What the action makes; a trailing slash says that it is a folder."),
    foreach: z
      .object({ except: paths.optional() }, must("a map of one variable to a pattern"))
      .catchall(each)
      .optional()
      .describe("One action for each file that matches; the variable stands for it."),
    toolchain: toolchain.optional(),
    env: env.optional(),
    timeout: duration.optional().describe("Hard limit of one run; 30m if nothing is said."),
    silence: silence.optional().describe("Limit of a run without a byte of output."),
    retries: retries
      .optional()
      .describe("Further attempts when a node fails; a command that fails is not repeated for it."),
    requires: requires.optional(),
    secrets: listOr(
      z
        .string(must("the name of a secret"))
        .regex(secretPattern, "must be the name of a secret: a letter, then letters, digits, . - _"),
      "the name of a secret or a list of them",
    )
      .optional()
      .describe("Secrets of the node that runs it, as files in $SECRETS; a node without them does not."),
    matrix: matrix.optional(),
    when: when.optional(),
    priority: priority
      .optional()
      .describe("Within the build: actions of higher priority, and what they wait for, go first."),
    cache: cache.optional().describe("false: the result is never taken from the cache, nor kept in it."),
  },
  must("a map with run"),
);

const defaultsSchema = z.strictObject(
  {
    timeout: duration.optional(),
    silence: silence.optional(),
    retries: retries.optional(),
    cache: cache.optional(),
    requires: requires.optional(),
  },
  must("a map"),
);

const releaseSchema = z.strictObject(
  {
    channel: z
      .string(must("text"))
      .regex(channelPattern, "must be lower-case letters, digits and dashes")
      .default("stable"),
    format: z
      .enum(["files", "gentoo", "debian"], must("files, gentoo or debian"))
      .default("files")
      .describe("What its clients are: plain files with sums, emerge (gpkg, xpak), apt (deb)."),
    header: headerSchema
      .optional()
      .describe("Fields at the head of Gentoo's index, as ARCH, PROFILE or ACCEPT_KEYWORDS."),
    include: listOr(nonEmpty, "the name of an action or a list of them").describe(
      "Actions whose outputs are released.",
    ),
  },
  must("a map with include"),
);

export const specSchema = z.strictObject(
  {
    swarmd: z.literal(1, must("1, the version of this format")).describe("The version of this format."),
    name: z
      .string(must("text"))
      .regex(
        specNamePattern,
        "must be lower-case letters, digits, dots, dashes and underscores (64 at most)",
      ),
    inputs: z
      .record(
        path,
        z.union([path, input], must("a path, or a map with path or archive")),
        must("a map of names to paths"),
      )
      .optional()
      .describe("Name in the workspace → file, folder or pattern, relative to this file."),
    priority: priority.optional().describe("Builds of higher priority go first; 0 if nothing is said."),
    include: include.optional(),
    vars: vars.optional(),
    toolchain: toolchain.optional(),
    env: env.optional(),
    defaults: defaultsSchema.optional().describe("What actions take where they say nothing."),
    actions: z
      .record(
        z
          .string()
          .regex(
            actionNamePattern,
            "must be letters, digits, dots, dashes, plus signs and underscores (64 at most)",
          ),
        actionSchema,
        must("a map of names to actions"),
      )
      .refine((actions) => Object.keys(actions).length <= 10_000, "must have at most 10000 actions")
      .optional(),
    release: releaseSchema.optional(),
  },
  must("a map with swarmd, name and actions"),
);

export type SpecForm = z.infer<typeof specSchema>;
export type ActionForm = z.infer<typeof actionSchema>;
export type RequiresForm = z.infer<typeof requires>;
export type WhenForm = z.infer<typeof when>;
export type MatrixForm = z.infer<typeof matrix>;

/** A file that others include: all of a spec but what speaks of the build as a whole. */
export const includedSchema = specSchema.omit({ name: true, priority: true, release: true });

/** The keys that are known at a place in a spec; empty where any key may stand. */
export function knownKeys(path: readonly (string | number)[]): readonly string[] {
  const [top, , field] = path;
  if (path.length === 0) return Object.keys(specSchema.shape);
  if (path.length === 2 && top === "include") return Object.keys(included.shape);
  if (path.length === 1 && top === "defaults") return Object.keys(defaultsSchema.shape);
  if (path.length === 1 && top === "release") return Object.keys(releaseSchema.shape);
  if (path.length === 2 && top === "inputs") return Object.keys(input.shape);
  if (path.length === 2 && top === "actions") return Object.keys(actionSchema.shape);
  if (path.length === 3 && field === "requires") return Object.keys(requires.shape);
  if (path.length <= 2 && top === "toolchain") return Object.keys(tool.shape);
  if ((path.length === 3 || path.length === 4) && field === "toolchain") return Object.keys(tool.shape);
  if (path.length === 2 && top === "defaults") return Object.keys(requires.shape);
  if (path.length === 4 && field === "out") return Object.keys(promise.shape);
  if (path.length === 4 && field === "foreach") return ["values", "count"];
  return [];
}

/** The JSON Schemas (draft 7) of a spec and of a file that specs include, for editors. */
export const specJsonSchema = () => jsonSchema("swarmd spec", specSchema);
export const includedJsonSchema = () => jsonSchema("swarmd spec, included", includedSchema);

function jsonSchema(title: string, of: z.ZodType): Record<string, unknown> {
  return { title, ...(z.toJSONSchema(of, { target: "draft-7", io: "input" }) as Record<string, unknown>) };
}
