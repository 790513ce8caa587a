/** The last words of a daemon: whatever ends it, other than a kill, stands in its log. */
import type { Log } from "../node/log.ts";

/** What of a process is heard and done; `process` is one. */
export interface Mortal {
  on(event: "uncaughtException", listener: (fault: unknown) => void): unknown;
  on(event: "unhandledRejection", listener: (fault: unknown) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
  exit(code: number): void;
}

/** Of a process that a person told to end twice, because once was too slow. */
export const impatientCode = 130;

/** Of connections that went while somebody spoke, as Node and libp2p name them: the other side's end, never this one's. */
const ofConnections = new Set([
  "AbortError",
  "ConnectionClosedError",
  "ConnectionClosingError",
  "ConnectionFailedError",
  "DialError",
  "MuxerClosedError",
  "StreamClosedError",
  "StreamResetError",
  "StreamStateError",
  "TimeoutError",
  "UnexpectedEOFError",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EPIPE",
  "ETIMEDOUT",
]);

/**
 * From here on a fault that nobody caught is logged before it ends the process with code 1; one that only says that a connection went, and that
 * nobody waited for, does not end it. `over` is called when the daemon has ended as it should: an end before that is logged too.
 */
export function leaveLastWords(
  log: Pick<Log, "error" | "fatal">,
  mortal: Mortal,
): { readonly over: () => void } {
  let over = false;
  const fatal = (fault: unknown, how: string) => {
    if (over) return mortal.exit(1);
    over = true;
    log.fatal(
      { fault: wordsOf(fault), how, remedy: "start it again: swarmd run; and report this" },
      "a fault of ours ends this daemon",
    );
    mortal.exit(1);
  };
  mortal.on("uncaughtException", (fault) => fatal(fault, "nobody caught it"));
  mortal.on("unhandledRejection", (fault) => {
    const { name, code } = (fault ?? {}) as { name?: unknown; code?: unknown };
    if (ofConnections.has(String(name)) || ofConnections.has(String(code)))
      log.error({ fault: wordsOf(fault) }, "a connection went, and nobody waited to hear of it");
    else fatal(fault, "nobody awaited it");
  });
  mortal.on("exit", (code) => {
    if (!over && code !== impatientCode) log.fatal({ code }, "this daemon ends, and nobody told it to");
  });
  return {
    over: () => {
      over = true;
    },
  };
}

/** With where it came from, and bounded. */
const wordsOf = (fault: unknown): string =>
  (fault instanceof Error ? (fault.stack ?? String(fault)) : String(fault)).slice(0, 4096);
