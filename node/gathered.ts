/** What an action takes, brought to this node for a person to look at: inputs as they were consumed, folders read, bytes fetched. */
import type { InputFile } from "../protocol/build/graph.ts";
import { sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Digest } from "../protocol/kernel/ids.ts";
import type { Artifacts } from "../protocol/ports.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Claim } from "../protocol/work/claim.ts";
import type { Desk } from "../protocol/work/desk.ts";
import { inputsOf } from "../protocol/work/inputs.ts";
import type { BlobStore } from "./ports.ts";

/** Folders that an action takes are known after one turn; a second would find nothing new. */
const turnsMax = 2;

export interface GatherParts {
  readonly desk: Pick<Desk, "trees" | "preferred">;
  readonly artifacts: Pick<Artifacts, "fetch" | "readTree">;
  readonly blobs: Pick<BlobStore, "has">;
}

export interface Gathered {
  readonly files: readonly InputFile[];
  /** Contents that are not on this disk yet. */
  readonly missing: readonly Digest[];
  readonly missingBytes: number;
  /** Brings them, and others. Throws `blob-missing`. */
  bring(others: readonly Digest[]): Promise<void>;
}

/** Throws `blob-missing` for a folder that nobody has, `refused` while its inputs are not made. */
export async function gatherInputs(
  parts: GatherParts,
  build: Build,
  index: number,
  pins?: Claim["pins"],
): Promise<Gathered> {
  const claims = build.claims!;
  const { name } = claims.action(index);
  const trees = new Map<Digest, readonly InputFile[]>(parts.desk.trees);
  for (let turn = 0; turn < turnsMax; turn++) {
    const inputs = inputsOf(claims, index, trees, build.inputFiles, pins);
    if (inputs.kind === "missing")
      throw new SwarmError("refused", `what ${name} takes is not there: ${inputs.reason}`, {
        remedy: `how far its build is: swarmd watch ${build.id}`,
      });
    if (inputs.kind === "known") return gathered(parts, inputs.files);
    for (const { digest, from } of inputs.needed) {
      const want = { digest, from: parts.desk.preferred([...from]) };
      const files = await new Promise<InputFile[] | null>((resolve) =>
        parts.artifacts.readTree(want, resolve),
      );
      if (!files) throw gone(`a folder that ${name} takes`, digest);
      trees.set(digest, files);
    }
  }
  throw gone(`a folder that ${name} takes`, claims.action(index).name);
}

function gathered({ desk, artifacts, blobs }: GatherParts, files: readonly InputFile[]): Gathered {
  const lacking = (digests: Iterable<Digest>) => [...new Set(digests)].filter((digest) => !blobs.has(digest));
  const missing = lacking(files.flatMap((f) => (f.link !== undefined || f.folder ? [] : [f.digest])));
  return {
    files,
    missing,
    missingBytes: missing.reduce((sum, digest) => sum + sizeOf(digest), 0),
    async bring(others) {
      const from = desk.preferred([]);
      const wants = lacking([...missing, ...others]).map((digest) => ({ digest, from }));
      if (wants.length === 0) return;
      const [first] = await new Promise<Digest[]>((resolve) =>
        artifacts.fetch(wants, (lost) => resolve(lost)),
      );
      if (first !== undefined) throw gone("a file that it takes", first);
    },
  };
}

const gone = (what: string, digest: string): SwarmError =>
  new SwarmError("blob-missing", `${what} can be had from nobody that can be reached: ${digest}`, {
    remedy: "see which members are away: swarmd status",
  });
