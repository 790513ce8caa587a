/** Reads packages on this disk, so that a release can be judged: one after the other, each once however often it is asked for. */
import type { Inspection, PackageFile } from "../../protocol/build/content.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Inspector } from "../../protocol/ports.ts";
import type { DiskBlobs } from "../store/blobs.ts";
import type { Readings } from "./formats/readings.ts";

export interface InspectorOptions {
  readonly blobs: Pick<DiskBlobs, "has" | "path" | "recheck">;
  readonly readings: Readings;
}

export function createInspector({ blobs, readings }: InspectorOptions): Inspector {
  let turn: Promise<unknown> = Promise.resolve();
  const inspect = async ({ path, digest }: PackageFile): Promise<Inspection | null> => {
    if (!blobs.has(digest)) return null;
    try {
      const { kind, fields, content, signed } = await readings.of({ path, digest, file: blobs.path(digest) });
      const said = new Map(fields);
      const target = said.get("CHOST") ?? said.get("Architecture");
      return {
        content,
        ...(target === undefined ? {} : { target }),
        ...(kind === "gpkg" ? { signed: signed !== undefined } : {}),
      };
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      if (error.code !== "blob-corrupt") return { refused: error.message };
      // Set aside here, so that it is brought anew.
      await blobs.recheck(digest);
      return null;
    }
  };
  return {
    inspect(packages, done) {
      turn = turn.then(async () => {
        const inspections: (Inspection | null)[] = [];
        for (const one of packages) inspections.push(await inspect(one).catch(unreadable));
        done(inspections);
      });
    },
  };
}

/** A disk that fails says nothing of the package; it is not judged, and so not released without a word. */
const unreadable = (error: Error): Inspection => ({ refused: `it cannot be read here: ${error.message}` });
