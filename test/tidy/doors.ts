/** One package, one door: what shapes a whole room when it leaks is imported in one place and nowhere else. */
import type { Fault, Source } from "./source.ts";

/** Package → where it may be imported (a file, or a folder with `/`). */
const doors: Readonly<Record<string, readonly string[]>> = {
  yjs: ["protocol/work/ledger.ts"],
  level: ["node/store/events.ts"],
  "classic-level": [],
  libp2p: ["node/network/libp2p.ts"],
  ssh2: ["node/machines/"],
  cac: ["cli/main.ts"],
  pino: ["node/log.ts"],
};

export function doorsKept(sources: readonly Source[]): Fault[] {
  return sources
    .filter((source) => !source.path.startsWith("test/"))
    .flatMap((source) =>
      source.imports
        .filter(({ target, kind }) => kind === "package" && Object.hasOwn(doors, target))
        .filter(
          ({ target }) =>
            !doors[target]!.some((door) =>
              door.endsWith("/") ? source.path.startsWith(door) : source.path === door,
            ),
        )
        .map(({ target, line }) => ({
          path: source.path,
          line,
          rule: "doors",
          text: `${target} has its door in ${doors[target]!.join(", ") || "no file"}`,
        })),
    );
}
