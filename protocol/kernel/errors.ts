/** Refusals at an edge: a closed set of codes, each with the exit code that the CLI ends with. */

/** Exit codes: 1 build failed, 2 usage or spec, 3 daemon unreachable, 4 refused. */
export const errorCodes = {
  usage: 2,
  "spec-invalid": 2,
  "not-found": 2,
  ambiguous: 2,
  "too-large": 2,
  "daemon-unreachable": 3,
  "home-locked": 4,
  "home-invalid": 4,
  "not-a-member": 4,
  "already-a-member": 4,
  "wrong-swarm": 4,
  "ticket-invalid": 4,
  "ticket-expired": 4,
  "ticket-used": 4,
  "role-missing": 4,
  malformed: 4,
  unauthentic: 4,
  "version-unknown": 4,
  "store-newer": 4,
  "no-eligible-node": 4,
  "blob-missing": 4,
  "blob-corrupt": 4,
  "disk-full": 4,
  "peer-unreachable": 4,
  "timed-out": 4,
  "sandbox-missing": 4,
  "tool-missing": 4,
  "address-in-use": 4,
  "no-quorum": 4,
  "clock-wrong": 4,
  refused: 4,
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** A refusal with a stable code and, wherever there is one, the remedy: what the reader can do about it. */
export class SwarmError extends Error {
  override readonly name = "SwarmError";
  readonly code: ErrorCode;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
  }
}

/** A broken invariant: a bug of ours. It stops the node loudly; nobody catches it to go on. */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${what}`);
}
