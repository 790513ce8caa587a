/** The folders of released epochs on this disk: `CHANNEL/N` holds an epoch, `CHANNEL/current` is a link to the one that is shown. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { channelPattern } from "../../protocol/timeline/events.ts";
import type { Shelves } from "./serve.ts";

const epochPattern = /^[1-9][0-9]{0,9}$/;

/** Looks each time: epochs come and go while the listener serves. */
export const shelvesOf = (dir: string): Shelves => ({
  foldersOf(channel) {
    if (!channelPattern.test(channel)) return [];
    const folder = path.join(dir, channel);
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch {
      return [];
    }
    if (!names.includes("current")) return [];
    const epochs = names.filter((name) => epochPattern.test(name)).sort((a, b) => Number(b) - Number(a));
    return ["current", ...epochs].map((name) => path.join(folder, name));
  },
});
