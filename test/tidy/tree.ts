/** The project's own files as a tree: what git tracks or would track, of our rooms and the few files beside them. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Tree } from "./source.ts";

const textFile = /(\.(ts|md|json|yaml|yml|txt|proto|html|css|tsx|c|pml)|(^|\/)(LICENSE|run|swarmd))$/;

export function projectTree(): Tree {
  const root = path.resolve(import.meta.dirname, "../..");
  const names = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  }).split("\0");
  return new Map(
    names
      .filter((name) => name !== "" && name !== "package-lock.json" && existsSync(path.join(root, name)))
      .map((name) => [name, textFile.test(name) ? readFileSync(path.join(root, name), "utf8") : ""]),
  );
}
