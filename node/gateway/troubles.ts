/** What of a swarm needs a person, what merely is not as it should be, and the state of each node: from what `status` says. */
import type { NodeView, StatusView } from "../control/api.ts";

export interface Trouble {
  /** person: it does not mend itself. note: it may. */
  readonly level: "person" | "note";
  /** What it is about: `node beta`, `build hello-0123`, `channel stable`, `swarm`. */
  readonly about: string;
  readonly text: string;
  /** What to run, where that is known: one line to copy. */
  readonly command?: string;
}

export interface NodeHealth {
  readonly node: string;
  readonly peerId: string;
  readonly state: NodeView["state"];
  /** It is heard of, and nothing keeps it from work. */
  readonly ok: boolean;
  /** Why not. */
  readonly why: readonly string[];
  readonly slots: number | null;
  readonly running: number | null;
  readonly load: number | null;
  readonly temperatureCelsius: number | null;
  readonly headroomCelsius: number | null;
}

/** Its owner said so, or it passes by itself. */
const passing: ReadonlySet<string> = new Set([
  "pressure",
  "owner",
  "standby",
  "paused",
  "drained",
  "stopping",
  "hot",
]);

export function healthOfNode({ name, peerId, state, vitals, clockAheadMs }: NodeView): NodeHealth {
  const why: string[] = [];
  if (state !== "self" && state !== "alive") why.push(state === "unseen" ? "never heard of" : state);
  if (vitals?.limitedBy !== undefined) why.push(`limited: ${vitals.limitedBy}`);
  if (clockAheadMs !== undefined)
    why.push(`its clock is ${Math.abs(clockAheadMs)} ms ${clockAheadMs > 0 ? "ahead" : "behind"}`);
  const number = (value: number | "unknown" | undefined) => (typeof value === "number" ? value : null);
  return {
    node: name,
    peerId,
    state,
    ok: why.length === 0,
    why,
    slots: vitals?.slots ?? null,
    running: vitals?.running ?? null,
    load: number(vitals?.load),
    temperatureCelsius: number(vitals?.temperatureCelsius),
    headroomCelsius: number(vitals?.headroomCelsius),
  };
}

/** What needs a person first, then what merely is so. */
export function troublesOf(status: StatusView): Trouble[] {
  const troubles: Trouble[] = [];
  const add = (level: Trouble["level"], about: string, text: string, command?: string) =>
    troubles.push({ level, about, text, ...(command === undefined ? {} : { command: `swarmd ${command}` }) });
  for (const node of [status.node, ...status.peers]) {
    const about = `node ${node.name}`;
    const { ok, why } = healthOfNode(node);
    const limit = node.vitals?.limitedBy;
    if (ok) continue;
    const isPassing =
      (node.state === "self" || node.state === "alive") && limit !== undefined && passing.has(limit);
    const command =
      limit === "grounded"
        ? `unground ${node.name}`
        : limit === "disk" || limit === "space"
          ? "gc"
          : `node show ${node.name}`;
    add(isPassing ? "note" : "person", about, why.join("; "), command);
  }
  for (const { node, start, seq, over } of status.forks)
    if (!over)
      add(
        "person",
        `node ${node}`,
        `its start ${start} contradicts itself from place ${seq} on`,
        "member list",
      );
  for (const { build, counts } of status.builds)
    if (counts.blocked > 0)
      add(
        "person",
        `build ${build}`,
        `${counts.blocked} blocked, ${counts.held} behind them`,
        `fix-blocked ${build}`,
      );
  for (const { build, first, actions, why, never, remedy } of status.waits)
    add(
      never ? "person" : "note",
      `build ${build}`,
      `${first}${actions > 1 ? ` and ${actions - 1} more` : ""}: ${why}`,
      remedy?.command?.join(" "),
    );
  for (const { build, first, actions, nodes } of status.divergent)
    add(
      "person",
      `build ${build}`,
      `${actions} with unequal results, ${first} first, by ${nodes.join(", ")}`,
      `autopsy ${build}`,
    );
  for (const { channel, atRisk, hindered } of status.channels) {
    if (hindered !== null) add("person", `channel ${channel}`, hindered, `staging --channel ${channel}`);
    if (atRisk !== null) add("note", `channel ${channel}`, atRisk, "mirror list");
  }
  for (const name of status.asking) add("person", "swarm", `${name} asks to come in`, `approve ${name}`);
  if (status.admins.length === 1 && status.swarm.members > 1)
    add("note", "swarm", `${status.admins[0]} is its only admin`, "member list");
  if (status.behind.entries + status.behind.builds > 0)
    add(
      "note",
      "swarm",
      `this node lacks ${status.behind.entries} entries and ${status.behind.builds} ended builds`,
    );
  return troubles.sort((a, b) => Number(a.level === "note") - Number(b.level === "note"));
}
