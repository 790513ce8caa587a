/** What a home recorded of a stretch of time, lived again and compared. */
import path from "node:path";
import type { Recording } from "../node/recording/recording.ts";
import { type ReadStretch, readStretch, recordedIn, stretchIn } from "../node/recordings.ts";
import { version } from "../node/version.ts";
import { type Verdict, verify } from "../protocol/explain/verify.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";

/** A stretch, and how it went. */
export interface Verified extends Verdict {
  readonly name: string;
  readonly node?: string;
  readonly program?: string;
  /** Its end is missing: the machine or the daemon was cut off. */
  readonly torn: boolean;
  /** It cannot be replayed, and why. */
  readonly why?: string;
}

export interface VerifiedView {
  readonly stretches: readonly Verified[];
  /** On the disk, of all times. */
  readonly keptBytes: number;
}

/** A span of time, wall milliseconds. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Verifies every stretch that has to do with a span. Damaged and foreign files are told, never thrown. */
export async function verifyRecorded(dir: string, span: Span): Promise<VerifiedView> {
  const files = await recordedIn(dir);
  const stretches: Verified[] = [];
  for (const { file } of files.filter(({ toMs }) => toMs >= span.fromMs)) {
    const one = await verifyStretch(path.basename(file), () => readStretch(file), span.toMs);
    if (one) stretches.push(one);
  }
  return { stretches, keptBytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** As `verifyRecorded`, of what a recording of a build brought along. */
export async function verifyRecording(recording: Recording, span: Span): Promise<VerifiedView> {
  const stretches: Verified[] = [];
  let keptBytes = 0;
  for (const name of recording.stretches()) {
    const bytes = await recording.stretch(name);
    keptBytes += bytes.length;
    const one = await verifyStretch(name, async () => stretchIn(bytes, name), span.toMs);
    if (one) stretches.push(one);
  }
  return { stretches, keptBytes };
}

/** Undefined for one that began later. */
async function verifyStretch(
  name: string,
  read: () => Promise<ReadStretch>,
  untilMs: number,
): Promise<Verified | undefined> {
  const nothing = { name, steps: 0, effects: 0, decisions: 0, torn: false };
  try {
    const { head, steps, torn } = await read();
    if (head.atMs > untilMs) return undefined;
    const { node, program } = head;
    if (program !== version)
      return {
        ...nothing,
        node,
        program,
        why: `it was recorded by version ${program}, and this is ${version}: only the same program does the same`,
      };
    return { name, node, program, torn, ...verify(head.core, steps) };
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    return { ...nothing, why: error.message };
  }
}
