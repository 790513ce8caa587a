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

/** A line of a stack that lies in Node or in libp2p. */
const foreignFrame = /node:|<anonymous>|[/\\]node_modules[/\\](@libp2p|libp2p)[/\\]/;

/**
 * From here on a fault that nobody caught is logged before it ends the process with code 1; one that only says that a connection went does not
 * end it: a promise nobody waited for, or what libp2p threw within itself. `over` is called when the daemon has ended as it should: an end before
 * that is logged too.
 */
export function leaveLastWords(
  log: Pick<Log, "error" | "fatal">,
  mortal: Mortal,
): { readonly over: () => void } {
  let over = false;
  const heard = (fault: unknown, how: string, passes: boolean) => {
    if (passes) return log.error({ fault: wordsOf(fault), how }, "a connection went");
    if (!over)
      log.fatal(
        { fault: wordsOf(fault), how, remedy: "start it again: swarmd run; and report this" },
        "a fault of ours ends this daemon",
      );
    over = true;
    mortal.exit(1);
  };
  mortal.on("uncaughtException", (fault) =>
    heard(fault, "nobody caught it", isOfConnection(fault) && isForeign(fault)),
  );
  mortal.on("unhandledRejection", (fault) => heard(fault, "nobody awaited it", isOfConnection(fault)));
  mortal.on("exit", (code) => {
    if (!over && code !== impatientCode) log.fatal({ code }, "this daemon ends, and nobody told it to");
  });
  return {
    over: () => {
      over = true;
    },
  };
}

function isOfConnection(fault: unknown): boolean {
  const { name, code } = (fault ?? {}) as { name?: unknown; code?: unknown };
  return ofConnections.has(String(name)) || ofConnections.has(String(code));
}

/** Whether nothing of ours was under way: what a throw breaks off there may be half done. */
function isForeign(fault: unknown): boolean {
  const frames = fault instanceof Error ? (fault.stack ?? "").match(/^ +at .*$/gm) : null;
  return frames?.every((frame) => foreignFrame.test(frame)) ?? false;
}

/** With where it came from, and bounded. */
const wordsOf = (fault: unknown): string =>
  (fault instanceof Error ? (fault.stack ?? String(fault)) : String(fault)).slice(0, 4096);
