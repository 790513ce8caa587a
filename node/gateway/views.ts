/** What the gateway may ask the daemon: the reads of the control socket, and none of its commands. */
import type { Control } from "../control/api.ts";

export type Views = Pick<
  Control,
  | "status"
  | "nodes"
  | "builds"
  | "build"
  | "why"
  | "criticalPath"
  | "autopsy"
  | "replay"
  | "logs"
  | "timeline"
  | "queue"
  | "members"
  | "reach"
  | "releases"
  | "releaseManifest"
  | "artifact"
  | "attest"
  | "holders"
  | "getBlob"
>;
