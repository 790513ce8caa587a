/** `swarmd artifact get|stat|where`: one blob of the swarm, or a folder of them, by its digest or CID. */
import { lstat } from "node:fs/promises";
import path from "node:path";
import type { ArtifactView } from "../../node/control/api.ts";
import { cidOf, hashOfCid, isDigest, sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { type Command, type Context, type Options, optionText } from "../command.ts";
import { onInterrupt } from "../interrupt.ts";
import { checkedPath, linksLast, place, placeFile, placeStream } from "../placing.ts";
import { notFound } from "../select.ts";
import { tarOf } from "../tarring.ts";
import { bytesText, countText } from "../units.ts";

const deeds = ["get", "stat", "where"] as const;
const parallelMax = 8;

const exampleDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0";

export const artifact: Command = {
  name: "artifact",
  args: "<get|stat|where> [artifact]",
  description: "Get an artifact by its digest or CID, or say what it is and who holds it",
  options: [
    {
      flags: "-o, --output <path>",
      description: "get: the file, or for a folder the folder, to write (a file: standard output)",
    },
    { flags: "--tar", description: "get: a folder as a tar file, which may go to standard output" },
    { flags: "--folder", description: "get: take it for a folder, where no build is known that says so" },
  ],
  examples: [
    `artifact stat ${exampleDigest}`,
    `artifact where ${cidOf(exampleDigest as Digest)}`,
    `artifact get ${cidOf(exampleDigest as Digest)} -o libleveldb.a`,
    `artifact get ${exampleDigest} --folder --output include`,
    `artifact get ${exampleDigest} --tar -o include.tar`,
  ],
  async run(context, [deed, word], options) {
    if (!deeds.includes(deed as (typeof deeds)[number])) {
      const known = deeds.map((one) => `artifact ${one}`);
      const refusal = notFound("command", `artifact ${deed}`, known, known.join(", "));
      throw new SwarmError("usage", refusal.message, { remedy: refusal.remedy });
    }
    if (word === undefined)
      throw new SwarmError("usage", `artifact ${deed} takes a digest or a CID`, {
        remedy: "the digests of a build's results: swarmd fetch BUILD --json",
      });
    if (!isDigest(word) && hashOfCid(word) === undefined && !/^[0-9a-f]{64}$/.test(word))
      throw new SwarmError("usage", `${JSON.stringify(word.slice(0, 200))} is no digest and no CID`, {
        remedy: "write <sha2-256>/<size>, the sha2-256 alone, or a CIDv1 of raw bytes (bafkrei…)",
      });
    if (deed !== "get")
      for (const name of ["output", "folder", "tar"])
        if (options[name] !== undefined)
          throw new SwarmError("usage", `artifact ${deed} takes no --${name}`, {
            remedy: `artifact get ${word} --${name}`,
          });
    const view = await context.control.artifact(word);
    if (deed === "stat") return stat(context, view);
    if (deed === "where") return where(context, view);
    return await get(context, view, options);
  },
};

function stat(context: Context, view: ArtifactView): number {
  const { output } = context;
  if (context.json) {
    output.json(view);
    return 0;
  }
  const facts: [string, string][] = [
    ["digest", view.digest],
    ["cid", view.cid],
    ["size", bytesText(view.sizeBytes)],
    ["kind", view.kind === "unknown" ? "unknown: no build that this node knows speaks of it" : view.kind],
    [
      "here",
      view.hereBytes >= view.sizeBytes
        ? "yes"
        : view.hereBytes > 0
          ? `${bytesText(view.hereBytes)} of it`
          : "no",
    ],
    ["pinned", view.neededBy.length > 0 ? `yes, ${view.neededBy.join(" ")} needs it` : "no"],
  ];
  for (const { build, action, path: place, nodes } of view.origins)
    facts.push([
      action === undefined ? "given to" : "made by",
      `${build}${action === undefined ? "" : ` ${action}`}${place ? `: ${place}` : ""}${nodes.length > 0 ? `, on ${nodes.join(", ")}` : ""}`,
    ]);
  for (const [what, text] of facts) output.line(`${output.tone("faint", what.padEnd(10))}${text}`);
  return 0;
}

const ways = { fact: "build", record: "dht", answer: "asked" } as const;

async function where(context: Context, { digest }: ArtifactView): Promise<number> {
  const holders = await context.control.holders(digest);
  const { output } = context;
  if (context.json) {
    output.json({ digest, cid: cidOf(digest), holders });
    return holders.some(({ holds }) => holds === "yes") ? 0 : 4;
  }
  if (holders.length > 0)
    output.table(
      [
        { title: "NODE" },
        { title: "STATE" },
        { title: "HOLDS IT" },
        { title: "KNOWN BY" },
        { title: "LATENCY", right: true },
        { title: "FAULTS" },
      ],
      holders.map((one) => [
        one.node,
        one.state,
        one.holds === "yes" ? output.tone("good", "yes") : one.holds,
        one.by.map((way) => ways[way]).join(", ") || "-",
        one.latencyMs === undefined ? "-" : `${one.latencyMs.toFixed(1)} ms`,
        [
          ...(one.corrupt > 0 ? [output.tone("bad", `${one.corrupt} corrupt`)] : []),
          ...(one.lied > 0 ? [output.tone("bad", `${one.lied} false lists`)] : []),
        ].join(", ") || "-",
      ]),
    );
  if (holders.some(({ holds }) => holds === "yes")) return 0;
  throw new SwarmError("blob-missing", `no member that can be reached holds ${digest}`, {
    remedy: "see which members are away: swarmd status",
  });
}

async function get(context: Context, view: ArtifactView, options: Options): Promise<number> {
  const to = optionText(options, "output");
  const tar = options.tar === true;
  const folder = tar || options.folder === true || view.kind === "folder";
  if (to === undefined && ((folder && !tar) || context.json))
    throw new SwarmError(
      "usage",
      folder && !tar ? "a folder cannot go to standard output" : "--json stands in the way of the artifact",
      {
        remedy: `name where it is to go: ${context.commandLine(["artifact", "get", view.digest, "-o", "PATH"])}`,
      },
    );
  const interrupt = onInterrupt();
  try {
    const files = folder
      ? await (tar ? getTar(context, view.digest, to) : getFolder(context, view.digest, to!))
      : await getFile(context, view, to, interrupt.signal);
    if (interrupt.signal.aborted) return 130;
    if (context.json)
      context.output.json({ ...view, hereBytes: view.sizeBytes, to: path.resolve(to!), ...files });
    else if (to !== undefined)
      context.output.line(
        `${folder ? `${countText(files.files, "file")}, ` : ""}${bytesText(files.bytes)}, in ${to}`,
      );
    return 0;
  } finally {
    interrupt.release();
    context.output.live([]);
  }
}

interface Got {
  readonly files: number;
  readonly bytes: number;
}

async function getFile(
  context: Context,
  { digest, sizeBytes }: ArtifactView,
  to: string | undefined,
  signal: AbortSignal,
): Promise<Got> {
  const { control, output } = context;
  if (to !== undefined && (await lstat(to).catch(() => undefined))?.isDirectory())
    throw new SwarmError("usage", `${to} is a folder`, {
      remedy: `name a file in it: -o ${path.join(to, "NAME")}`,
    });
  const startMs = performance.now();
  for await (const { hereBytes } of control.bring(digest, signal)) {
    const perSecond = (hereBytes * 1000) / Math.max(1, performance.now() - startMs);
    if (to !== undefined && !context.json)
      output.live([
        `fetching: ${bytesText(hereBytes)} of ${bytesText(sizeBytes)}, ${bytesText(perSecond)}/s`,
      ]);
  }
  output.live([]);
  if (signal.aborted) {
    output.note(`what came is kept: ${context.commandLine(["artifact", "get", digest])} goes on`);
    return { files: 0, bytes: 0 };
  }
  const bytes = control.getBlob(digest);
  if (to === undefined) {
    let first = true;
    for await (const chunk of bytes) {
      if (first && output.terminal && chunk.includes(0))
        throw new SwarmError("usage", "it is not text: a terminal is no place for it", {
          remedy: `write it to a file: ${context.commandLine(["artifact", "get", digest, "-o", "FILE"])}`,
        });
      first = false;
      await output.bytes(chunk);
    }
  } else {
    const file = path.resolve(to);
    await placeFile(path.dirname(file), path.basename(file), digest, bytes, false);
  }
  return { files: 1, bytes: sizeBytes };
}

async function getTar({ control, output }: Context, digest: Digest, to: string | undefined): Promise<Got> {
  if (to === undefined && output.terminal)
    throw new SwarmError("usage", "a terminal is no place for a tar file", {
      remedy: `write it to a file: swarmd artifact get ${digest} --tar -o FILE`,
    });
  const files = await control.getTree(digest);
  const tar = tarOf(files, (one) => control.getBlob(one));
  let bytes = 0;
  if (to !== undefined) bytes = await placeStream(path.resolve(to), tar);
  else
    for await (const chunk of tar) {
      bytes += chunk.length;
      await output.bytes(chunk);
    }
  return { files: files.length, bytes };
}

async function getFolder(context: Context, digest: Digest, to: string): Promise<Got> {
  const { control, output } = context;
  const files = (await control.getTree(digest)).map((file) => ({ ...file, path: checkedPath(file.path) }));
  const queue = linksLast(files);
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      await place(path.resolve(to), file, (digest) => control.getBlob(digest));
      if (!context.json) output.live([`fetching: ${queue.length} of ${files.length} files to go`]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelMax, files.length) }, worker));
  return { files: files.length, bytes: files.reduce((sum, file) => sum + sizeOf(file.digest), 0) };
}
