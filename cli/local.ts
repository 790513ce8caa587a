/** What can be said of a home while its daemon is not running. Reads one small file and opens nothing. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { NextAction } from "../node/control/api.ts";
import { reasonOf } from "../node/files.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";

export interface LocalHome {
  /** The node's name; absent when the folder is no home. */
  readonly name?: string;
  /** The swarm's name; absent when the home has none yet. */
  readonly swarm?: { readonly id: string; readonly name: string };
}

/** Throws `home-invalid` when the home cannot be read by this user. Damage is for the daemon to judge: it shows as no home. */
export async function lookAtHome(home: string): Promise<LocalHome> {
  let text: string;
  try {
    text = await readFile(path.join(home, "home.json"), "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return {};
    throw new SwarmError("home-invalid", `${home} cannot be read: ${reasonOf(cause)}`, {
      remedy: "use the user that runs the daemon, or another --home",
      cause,
    });
  }
  try {
    const { name, swarm } = JSON.parse(text) as { name?: unknown; swarm?: { id?: unknown; name?: unknown } };
    return {
      name: typeof name === "string" ? name : undefined,
      swarm:
        typeof swarm?.id === "string" && typeof swarm.name === "string"
          ? { id: swarm.id, name: swarm.name }
          : undefined,
    };
  } catch {
    return {};
  }
}

/** What to do next while no daemon answers. */
export function localNext(local: LocalHome): NextAction {
  if (local.swarm)
    return {
      command: ["run", "--detach"],
      why: `this node, ${local.name}, is a member of ${local.swarm.name}, and its daemon is not running`,
    };
  return {
    command: ["init"],
    why: "this machine is in no swarm: found one; or enter one that exists with swarmd join TICKET",
  };
}
