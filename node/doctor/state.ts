/** What a running daemon knows of itself and its swarm without asking anybody, each finding with its remedy. */
import { remedyFor } from "../../protocol/build/parcels.ts";
import { readOffer, targetsOf } from "../../protocol/build/toolchain.ts";
import type { Core } from "../../protocol/core.ts";
import type { Mode } from "../../protocol/swarm/policy.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import { diskFreeBytesMin } from "../../protocol/work/eligible.ts";
import type { Limit } from "../../protocol/work/room.ts";
import type { Finding } from "../control/api.ts";
import type { Mesh } from "../ports.ts";
import type { Queries } from "../queries.ts";

/** `limits`: what binds each action here, in words. */
export function checkState(
  core: Core,
  queries: Queries,
  mesh: Pick<Mesh, "addresses">,
  limits: string,
): Finding[] {
  const { desk } = core;
  const vitals = desk.vitals();
  const nodes = queries.nodes();
  const dead = nodes.filter((n) => n.state === "dead");
  const findings: Finding[] = [
    { check: "listening", level: "ok", text: mesh.addresses().join(", ") || "on no address" },
    dead.length === 0
      ? {
          check: "members",
          level: "ok",
          text: nodes.length === 1 ? "it is the only one" : `all ${nodes.length} are there`,
        }
      : {
          check: "members",
          level: "note",
          text: `${dead.map((n) => n.name).join(", ")} ${dead.length === 1 ? "is" : "are"} away`,
          remedy:
            "start the daemon there: swarmd run --detach; of a machine that is gone for good: swarmd node forget NAME",
        },
    { check: "limits of an action", level: "ok", text: limits },
  ];
  if (!vitals)
    return [
      ...findings,
      { check: "sensors", level: "bad", text: "no reading yet", remedy: "try again in a second" },
    ];
  findings.push(
    vitals.temperatureCelsius === "unknown"
      ? {
          check: "temperature",
          level: "note",
          text: "no sensor: heat is not taken into account on this node",
        }
      : vitals.temperatureCelsius >= desk.config.scheduling.temperatureCelsiusMax
        ? {
            check: "temperature",
            level: "bad",
            text: `${vitals.temperatureCelsius} °C: it takes no work`,
            remedy: "cool it, or give it fewer slots: swarmd run --slots N",
          }
        : { check: "temperature", level: "ok", text: `${vitals.temperatureCelsius} °C` },
    vitals.diskFreeBytes < diskFreeBytesMin
      ? {
          check: "room",
          level: "bad",
          text: "the disk is nearly full: it takes no work",
          remedy:
            "free some space on the disk of the home; what artifacts take of it: swarmd gc --unused 0s --dry-run",
        }
      : { check: "room", level: "ok", text: `${Math.floor(vitals.diskFreeBytes / 2 ** 30)} GiB free` },
  );
  findings.push(...toolsOf(vitals));
  const { limitedBy } = vitals;
  const { name } = desk.config;
  if (limitedBy === "paused" || limitedBy === "drained")
    findings.push({
      check: "orders",
      level: "note",
      text: `a person has ${limitedBy} this node: it takes no work`,
      remedy: `swarmd resume ${name}`,
    });
  if (limitedBy === "grounded")
    findings.push({
      check: "orders",
      level: "note",
      text: "its runs failed too often by its own doing: it takes no work for a while",
      remedy: `once that is mended: swarmd unground ${name}`,
    });
  findings.push(takingOf(vitals, desk.config.scheduling.mode));
  if (vitals.sandbox === "none")
    findings.push({
      check: "daemon's sandbox",
      level: vitals.foreign ? "note" : "bad",
      text: vitals.foreign
        ? "it runs what others submit without a sandbox"
        : "without bubblewrap it runs only what it submitted itself",
      remedy:
        "apt-get install bubblewrap (where it is there, this says why it fails: bwrap --unshare-all --ro-bind / / --proc /proc true), then restart the daemon",
    });
  return findings;
}

/** What it compiles with, and for. */
function toolsOf({ toolchains, target, distribution }: Vitals): Finding[] {
  const check = "toolchains";
  const compilers = Object.entries(toolchains).filter(([, text]) => readOffer(text).target !== undefined);
  if (compilers.length === 0)
    return [
      {
        check,
        level: "note",
        text: "no compiler: specs that compile pass this node over",
        remedy: `${remedyFor("gcc", distribution)}; it is noticed within seconds`,
      },
    ];
  const words = compilers.map(([name, text]) => `${name} ${readOffer(text).version ?? ""}`.trim());
  return [
    { check, level: "ok", text: `${words.join(", ")}; ${Object.keys(toolchains).length} tools in all` },
    { check: "targets", level: "ok", text: targetsOf(target, toolchains).join(", ") },
  ];
}

/** How much work the node takes now, and why it is not more. */
function takingOf({ slots, slotsMax, limitedBy, policy, labels, fenced }: Vitals, mode: Mode): Finding {
  const check = "taking work";
  const how = [
    `mode ${mode}`,
    `policy ${policy}`,
    ...(labels.length > 0 ? [`${fenced ? "fenced to" : "labels"} ${labels.join(" ")}`] : []),
  ].join(", ");
  if (limitedBy === undefined) return { check, level: "ok", text: `${slots} slots; ${how}` };
  return {
    check,
    level: "note",
    text: `${slots} of ${slotsMax ?? slots} slots: ${limitedBy}; ${how}`,
    remedy: remedies[limitedBy as Limit] ?? "it passes by itself",
  };
}

const remedies: Partial<Record<Limit, string>> = {
  disk: "free some space: it cannot write what it has to say; the reason stands in its log",
  space: "free some space; what artifacts take, and which of them can go: swarmd gc --dry-run",
  clone:
    "its home was copied and runs on two machines: stop one, and let it enter by a key of its own: swarmd join TICKET --home DIR",
  hot: "cool it, or give it fewer slots: swarmd run --slots N",
  pressure: "close what presses on its memory or disk, or give it fewer slots: swarmd run --slots N",
  owner: "it goes on when nobody works at the machine, nothing else runs on it, and it has mains",
  standby: "it works once no primary does",
  paused: "swarmd resume NODE",
  drained: "swarmd resume NODE",
  grounded: "see why its actions failed, then: swarmd unground NODE",
};
