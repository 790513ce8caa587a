/** Puts the dashboard into Cockpit as one of its packages, and takes it out again. */
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { makeFolder } from "../node/files.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";

/** Where Cockpit looks for packages: the machine's for root, else one's own. */
export function packageFolder(uid: number, env: NodeJS.ProcessEnv): string {
  const own = env.XDG_DATA_HOME ?? path.join(env.HOME ?? "/", ".local/share");
  return path.join(uid === 0 && !env.XDG_DATA_HOME ? "/usr/local/share" : own, "cockpit/swarmd");
}

/** Copies the built page, which then reads the gateway at this port of the machine. Throws `not-found`, `refused`. */
export async function installInCockpit(built: string, folder: string, port: number): Promise<void> {
  const page = await textOf(path.join(built, "index.html"));
  if (page === undefined)
    throw new SwarmError("not-found", "the page for Cockpit is not built", {
      remedy: "in swarmd's own folder: npm run build:web",
    });
  await removeFromCockpit(folder);
  makeFolder(folder);
  await cp(built, folder, { recursive: true });
  const portIn = /(<meta name="swarmd-gateway-port" content=")\d+/;
  await writeFile(path.join(folder, "index.html"), page.replace(portIn, `$1${port}`));
}

/** False when there was none. Throws `refused` for a package that is not ours. */
export async function removeFromCockpit(folder: string): Promise<boolean> {
  const page = await textOf(path.join(folder, "index.html"));
  const manifest = await textOf(path.join(folder, "manifest.json"));
  if (page === undefined && manifest === undefined) return false;
  if (!page?.includes("swarmd-gateway-port"))
    throw new SwarmError("refused", `${folder} is there already, and not by swarmd`, {
      remedy: "remove it yourself",
    });
  await rm(folder, { recursive: true });
  return true;
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new SwarmError("refused", `${file} cannot be read`, {
      remedy: "ask as root, or as yourself for your own Cockpit",
      cause,
    });
  }
}
