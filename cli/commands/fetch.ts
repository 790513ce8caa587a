/** `swarmd fetch BUILD`: brings results of a build into a folder, from whoever holds them. */
import path from "node:path";
import type { ActionView, BuildView } from "../../node/control/api.ts";
import { noteFetched } from "../../node/control/fetched.ts";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { heard } from "../heard.ts";
import { checkedPath, linksLast, place } from "../placing.ts";
import { notFound, selectBuild } from "../select.ts";
import { bytesText, countText } from "../units.ts";

const parallelMax = 8;

interface Wanted {
  readonly path: string;
  readonly digest: Digest;
  readonly executable: boolean;
}

export const fetch: Command = {
  name: "fetch",
  args: "<build> [paths...]",
  description: "Bring the results of a build into a folder",
  options: [
    { flags: "--to <dir>", description: "The folder (./out/NAME)" },
    { flags: "--all", description: "What every action made, not only the results" },
  ],
  examples: ["fetch leveldb", "fetch leveldb --to /tmp/out libleveldb.a", "fetch leveldb --all"],
  async run(context, [word, ...paths], options) {
    const { build, name } = await selectBuild(context.control, word!);
    const view = await heard(context, build);
    const wanted = choose(await filesOf(context, view, options.all === true || paths.length > 0), paths);
    if (view.awaited)
      throw new SwarmError(
        "not-found",
        `this node has not heard yet what ${countText(view.awaited, "action")} of ${build} made`,
        {
          remedy: `again in a while, or from another node; who is reached: ${context.commandLine(["node", "reach"])}`,
        },
      );
    // The summary of what has ended goes on saying how it ended.
    if (
      wanted.length === 0 &&
      view.state === "complete" &&
      view.actionViews.some(({ state }) => state !== "done")
    )
      throw new SwarmError(
        "not-found",
        `what ${build} made counts no more: members who made it were disowned, or all copies were lost`,
        {
          remedy: `submit its spec again; who was disowned: ${context.commandLine(["member", "list"])}, ${context.commandLine(["taint"])}`,
        },
      );
    if (wanted.length === 0)
      throw new SwarmError("not-found", `${build} has no results${view.state === "running" ? " yet" : ""}`, {
        remedy:
          view.state === "complete"
            ? `what its actions made: ${context.commandLine(["fetch", build, "--all"])}`
            : `how it stands: ${context.commandLine(["watch", build])}`,
      });
    const to = path.resolve(optionText(options, "to") ?? path.join("out", name));
    await bring(context, to, wanted);
    if (view.state === "complete") await noteFetched(context.home, build).catch(() => {});
    const bytes = wanted.reduce((sum, file) => sum + sizeOf(file.digest), 0);
    if (context.json)
      context.output.json({
        build,
        to,
        files: wanted.map((file) => file.path),
        digests: Object.fromEntries(wanted.map((file) => [file.path, file.digest])),
        bytes,
      });
    else
      context.output.line(
        `${countText(wanted.length, "file")}, ${bytesText(bytes)}, in ${path.relative(process.cwd(), to) || "."}`,
      );
    return 0;
  },
};

/** The files of the results: of what is released, else of what nobody consumes; or of all that is done. */
async function filesOf(context: Context, view: BuildView, all: boolean): Promise<Wanted[]> {
  const done = view.actionViews.filter((action) => action.state === "done");
  const files = new Map<string, Wanted>();
  for (const action of all ? done : rootsOf(view, done))
    for (const output of action.outputs) {
      if (output.kind === "file")
        files.set(checkedPath(output.path), {
          path: output.path,
          digest: output.digest,
          executable: output.executable === true,
        });
      else
        for (const file of await context.control.getTree(output.digest)) {
          const where = checkedPath(`${output.path}/${file.path}`);
          files.set(where, { ...file, path: where });
        }
    }
  return [...files.values()];
}

function rootsOf(view: BuildView, done: readonly ActionView[]): readonly ActionView[] {
  const released = done.filter((action) => action.released);
  if (released.length > 0 || view.actionViews.some((action) => action.released)) return released;
  const consumed = new Set(view.actionViews.flatMap((action) => action.dependsOn));
  return done.filter((action) => !consumed.has(action.name));
}

/** A path names a file, or a folder with all below it. */
function choose(files: readonly Wanted[], paths: readonly string[]): Wanted[] {
  const chosen = new Set<Wanted>();
  for (const given of paths) {
    const wanted = given.replace(/\/+$/, "");
    const found = files.filter((file) => file.path === wanted || file.path.startsWith(`${wanted}/`));
    if (found.length === 0)
      throw notFound(
        "result",
        given,
        files.map((file) => file.path),
        files.length > 0
          ? `there are ${files
              .slice(0, 5)
              .map((file) => file.path)
              .join(", ")} …`
          : "nothing is done yet",
      );
    for (const file of found) chosen.add(file);
  }
  return paths.length > 0 ? [...chosen] : [...files];
}

async function bring(context: Context, to: string, files: readonly Wanted[]) {
  const queue = linksLast(files);
  const show = () => {
    if (!context.json) context.output.live([`fetching: ${queue.length} of ${files.length} files to go`]);
  };
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      await place(to, file, (digest) => context.control.getBlob(digest));
      show();
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(parallelMax, files.length) }, worker));
  } finally {
    context.output.live([]);
  }
}
