/** `swarmd status`: counts, nodes, builds, and one command to run next. It answers also where there is nothing yet. */
import path from "node:path";
import type { NextAction, StatusView, WaitView } from "../../node/control/api.ts";
import { specWord } from "../../node/control/next.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { holdText } from "../holds.ts";
import { localNext, lookAtHome } from "../local.ts";
import { clockText, diskText, nodeColumns, nodeRow } from "../node-table.ts";
import { plain } from "../output.ts";
import { exampleSpec, isClone } from "../project.ts";
import { countText, durationText } from "../units.ts";
import { skewText } from "../versions.ts";

const buildsShown = 8;
const waitsShown = 5;
const askingShown = 5;

export const status: Command = {
  name: "status",
  description: "Show what is needed, building and done, and what to do next",
  examples: ["status", "status --json"],
  async run(context) {
    const seen = await readStatus(context);
    if (context.json) context.output.json(seen);
    else {
      if (seen.swarm && seen.node) show(context, seen as StatusView);
      else context.output.line(`no daemon answers for ${context.home}\n`);
      showNext(context, seen.next);
    }
    return 0;
  },
};

/** What status knows; without a daemon the fields it would fill are empty. */
export type SeenStatus = Omit<StatusView, "swarm" | "node"> & {
  readonly swarm: StatusView["swarm"] | null;
  readonly node: StatusView["node"] | null;
};

const damagedText = ({ files, missing, folder }: NonNullable<StatusView["damaged"]>): string =>
  [
    `damaged on this disk, and moved to ${folder}: ${countText(files, "file")}`,
    missing === 0 ? "nothing is missing any more" : `entries still to come from others: ${missing}`,
  ].join("; ");

/** The daemon's word, or this home's own where no daemon runs; `next` is ready to be run. */
export async function readStatus(context: Context): Promise<SeenStatus> {
  try {
    const view = await context.control.status();
    return {
      swarm: view.swarm,
      node: view.node,
      peers: view.peers,
      builds: view.builds,
      counts: view.counts,
      behind: view.behind,
      ...(view.damaged === undefined ? {} : { damaged: view.damaged }),
      forks: view.forks,
      admins: view.admins,
      asking: view.asking,
      waits: view.waits,
      divergent: view.divergent,
      channels: view.channels,
      gateway: view.gateway,
      next: withSpec(view.next),
    };
  } catch (thrown) {
    if (!(thrown instanceof SwarmError) || thrown.code !== "daemon-unreachable") throw thrown;
    return {
      swarm: null,
      node: null,
      peers: [],
      builds: [],
      counts: { needed: 0, building: 0, complete: 0, blocked: 0, staged: 0 },
      behind: { builds: 0, entries: 0 },
      forks: [],
      admins: [],
      asking: [],
      waits: [],
      divergent: [],
      channels: [],
      gateway: null,
      next: localNext(await lookAtHome(context.home)),
    };
  }
}

export function showNext(context: Context, next: NextAction) {
  const { output } = context;
  output.line(
    `NEXT  ${next.command ? output.tone("strong", context.commandLine(next.command)) : "nothing to do"}`,
  );
  output.line(`      ${plain(next.why)}`);
}

/** Where the reader has no spec yet, the small one that comes with a clone. */
function withSpec(next: NextAction): NextAction {
  if (!isClone || !next.command?.includes(specWord)) return next;
  const spec = path.relative(process.cwd(), exampleSpec("hello"));
  return {
    command: next.command.map((word) => (word === specWord ? spec : word)),
    why: `${next.why}; ${path.basename(spec)} is a small one to try`,
  };
}

function show(context: Context, view: StatusView) {
  const { swarm, node, peers, builds, counts, behind, forks, waits, divergent } = view;
  const { output } = context;
  const alive = 1 + peers.filter((peer) => peer.state === "alive").length;
  output.line(
    `${output.tone("strong", swarm.name)}: ${alive} of ${swarm.members} members here; this node is ${node.name} (${node.roles.join(", ")})`,
  );
  output.line();
  output.line(
    Object.entries(counts)
      .map(
        ([what, count]) =>
          `${what} ${what === "blocked" && count > 0 ? output.tone("bad", String(count)) : what === "staged" ? countText(count, "file") : count}`,
      )
      .join("   "),
  );
  if (behind.builds + behind.entries > 0)
    output.line(
      output.tone(
        "note",
        `catching up: ${behind.builds} ended builds and ${behind.entries} entries are behind`,
      ),
    );
  if (view.damaged) output.line(output.tone("bad", damagedText(view.damaged)));
  for (const { node: name, start, seq, build, over } of forks)
    output.line(
      output.tone(
        over ? "note" : "bad",
        plain(
          `${name} told two stories in its start ${start}, from entry ${seq} on, ${build ? `in ${build}` : "in the timeline"}: nothing of it counts from there${over ? "; it has started anew since" : ""}`,
        ),
      ),
    );
  for (const { name, vitals } of [node, ...peers])
    for (const build of vitals?.blind ?? [])
      output.line(
        output.tone("note", plain(`${name} cannot get the graph of ${build}: others hand out its work`)),
      );
  for (const one of [node, ...peers]) {
    const makeRoom = one === node ? context.commandLine(["gc", "--dry-run"]) : "swarmd gc --dry-run";
    const line = diskText(one, makeRoom);
    if (line !== undefined) output.line(output.tone("bad", plain(line)));
  }
  for (const line of governanceOf(view, (args) => context.commandLine(args)))
    output.line(output.tone("note", plain(line)));
  for (const peer of peers)
    if (peer.clockAheadMs !== undefined) output.line(output.tone("bad", plain(clockText(peer))));
  const skew = skewText([node, ...peers]);
  if (skew !== undefined) output.line(output.tone("note", plain(skew)));
  output.line();
  output.table(
    nodeColumns,
    [node, ...peers].map((one) => nodeRow(output, one)),
  );
  if (builds.length > 0) {
    output.line();
    output.table(
      [
        { title: "BUILD" },
        { title: "STATE" },
        { title: "DONE", right: true },
        { title: "RUNNING", right: true },
        { title: "BLOCKED", right: true },
        { title: "TIME", right: true },
      ],
      builds
        .slice(0, buildsShown)
        .map((build) => [
          build.build,
          output.tone(
            build.state === "complete" ? "good" : build.state === "failed" ? "bad" : "note",
            build.fresh && build.state === "running" ? "running, no cache" : build.state,
          ),
          `${build.counts.done}/${build.actions}`,
          String(build.counts.running),
          String(build.counts.blocked + build.counts.held),
          durationText(build.wallMs),
        ]),
    );
    if (builds.length > buildsShown)
      output.line(`and ${builds.length - buildsShown} more: ${context.commandLine(["history"])}`);
    const held = builds.flatMap(({ build, holds = [] }) => holds.map((hold) => ({ build, hold })));
    for (const { build, hold } of held.slice(0, waitsShown)) {
      const text = holdText(build, hold, (args) => context.commandLine(args));
      output.line(`${output.tone("note", "held")}: ${plain(`${build} ${text}`)}`);
    }
    if (held.length > waitsShown) output.line(`and ${held.length - waitsShown} more (--json has all)`);
  }
  if (waits.length > 0) {
    output.line();
    for (const wait of waits.slice(0, waitsShown))
      output.line(`${output.tone(wait.never ? "bad" : "note", "waits")}: ${plain(waitText(wait))}`);
    if (waits.length > waitsShown) output.line(`and ${waits.length - waitsShown} more (--json has all)`);
  }
  for (const { channel, current, staged, atRisk, hindered } of view.channels) {
    output.line();
    output.line(
      `${channel}: ${current === 0 ? "nothing released yet" : `epoch ${current}`}${staged > 0 ? `, ${countText(staged, "build")} staged` : ""}${hindered ? `, ${output.tone("note", plain(hindered))}` : ""}${atRisk ? `; ${output.tone("note", plain(atRisk))}` : ""}`,
    );
  }
  for (const { build, first, actions, nodes, check } of divergent) {
    const what = `${build} ${first}${actions > 1 ? ` and ${actions - 1} more` : ""}`;
    const more = context.commandLine(check ? ["rebuild-check", check] : ["watch", build, "--json"]);
    output.line(
      `${output.tone("bad", "divergent")}: ${plain(`${what}: ${nodes.join(", ")} made unequal results of the same inputs; see ${more}`)}`,
    );
  }
  output.line();
}

/** Who asks to come in, and that a swarm with one admin is one disk away from admitting nobody any more. */
export function governanceOf(
  { swarm, node, peers, admins, asking }: Pick<StatusView, "swarm" | "node" | "peers" | "admins" | "asking">,
  command: (args: readonly string[]) => string,
): string[] {
  const on = admins.includes(node.name) ? "" : `, on ${admins.join(" or ")}`;
  // What is to be typed elsewhere does not name this node's home.
  const typed = on === "" ? command : (args: readonly string[]) => ["swarmd", ...args].join(" ");
  const lines = asking
    .slice(0, askingShown)
    .map((name) => `${name} asks to join: ${typed(["approve", name])}${on}`);
  if (asking.length > askingShown)
    lines.push(`and ${asking.length - askingShown} more ask to join: ${command(["approve"])}`);
  if (admins.length !== 1 || swarm.members < 2) return lines;
  const others = [node, ...peers].filter(({ name }) => name !== admins[0]);
  // one that is gone would be no help
  const other = (others.find(({ state }) => ["self", "alive"].includes(state)) ?? others[0])?.name ?? "NAME";
  return [
    ...lines,
    `${admins[0]} is the only admin: without it nobody can be admitted or revoked; make another: ${typed(["member", "role", other, "+admin"])}${on}`,
  ];
}

/** `demo-… compile/a and 4 more, for 3 min 02 s: no node fits; …; bea had it and is away`. */
function waitText({ build, first, actions, why, forMs, had }: WaitView): string {
  const work = `${build} ${first}${actions > 1 ? ` and ${actions - 1} more` : ""}`;
  const names = (away: boolean) => had.filter((one) => one.away === away).map((one) => one.node);
  const [gone, changed] = [names(true), names(false)];
  return [
    `${work}, for ${durationText(forMs)}: ${why.replace(/^waits: /, "")}`,
    ...(gone.length > 0 ? [`${gone.join(", ")} had it and ${gone.length > 1 ? "are" : "is"} away`] : []),
    ...(changed.length > 0 ? [`${changed.join(", ")} had it before`] : []),
  ].join("; ");
}
