/** A daemon of another version: it says what others have no word for, lacks a word itself, or does not know the builds' fold. */
import type { Input } from "../protocol/contract.ts";
import type { Runtime } from "../protocol/runtime.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import type { Event } from "../protocol/timeline/events.ts";
import type { VersionWay } from "./faults.ts";
import type { Bend, Host } from "./host.ts";
import type { Process } from "./process.ts";

/** Of a daemon that lacks words. */
export const olderVersion = "0.0.0-older";
/** A newer one says something new so often. */
const noveltyMs = 1000;
/** Kinds that a daemon of the version before does not know. */
const novelties: ReadonlySet<string> = new Set([
  "view",
  "node.control",
  "node.grounded",
  "step",
  "breakpoint",
  "place",
  "preview",
]);
const foreignFold = 99;

/** Makes a host's daemon one of another version, from its next start on. It is honest. */
export function otherVersion(how: VersionWay): Bend {
  switch (how) {
    case "newer":
      return { honest: true, version: "9.0.0", runtime: speakNew };
    case "older":
      return {
        honest: true,
        version: olderVersion,
        runtime: (_host, runtime) =>
          hearing(runtime, (signed) =>
            signed.entry.events.some((e) => novelties.has(e.kind))
              ? // An event it has no word for keeps its place: others name facts by it.
                withEvents(signed, (events) =>
                  events.map((e) => (novelties.has(e.kind) ? { kind: "unknown" } : e)),
                )
              : signed,
          ),
      };
    case "other-fold":
      return { honest: true, version: "0.0.0-fold", runtime: foldOtherwise };
  }
}

/** Events, fields and vitals of the future. */
function speakNew(host: Host, runtime: Runtime, process: Process): void {
  const { desk } = runtime.core;
  const say = (): void => {
    const news = { kind: "future.novelty", of: host.name } as unknown as Event;
    desk.say(undefined, news);
    for (const build of desk.liveBuilds()) desk.say(build.id, news);
    runtime.input({ kind: "tick" });
    process.after(noveltyMs, say);
  };
  process.after(noveltyMs, say);
  const input = runtime.input.bind(runtime);
  runtime.input = (heard) =>
    input(
      heard.kind === "sensed" ? { ...heard, vitals: { ...heard.vitals, ...{ moonPhase: "full" } } } : heard,
    );
}

/** Submissions name a fold it has never heard of, and it says so. */
function foldOtherwise(_host: Host, runtime: Runtime): void {
  const { desk } = runtime.core;
  const say = desk.say.bind(desk);
  const saying: typeof desk.say = (build, event, options) =>
    say(build, event.kind === "node.up" ? { ...event, folds: [foreignFold] } : event, options);
  // Not enumerable, so that a saved core does not hold it.
  Object.defineProperty(desk, "say", { value: saying, enumerable: false });
  hearing(runtime, (signed) =>
    signed.entry.events.some((e) => e.kind === "build.submitted")
      ? withEvents(signed, (events) =>
          events.map((e) => (e.kind === "build.submitted" ? { ...e, fold: foreignFold } : e)),
        )
      : signed,
  );
}

type Events = SignedEntry["entry"]["events"];

/** What the core sees of an entry; its bytes stay, and are stored and passed on as they came. */
const withEvents = (signed: SignedEntry, change: (events: Events) => Events): SignedEntry => ({
  ...signed,
  entry: { ...signed.entry, events: change(signed.entry.events) },
});

/** Others' entries reach the core only through this. */
function hearing(runtime: Runtime, change: (signed: SignedEntry) => SignedEntry): void {
  const input = runtime.input.bind(runtime);
  const changed = <T extends { readonly entries: readonly SignedEntry[] }>(carrier: T): T => ({
    ...carrier,
    entries: carrier.entries.map(change),
  });
  const heard = (given: Input): Input => {
    switch (given.kind) {
      case "restored-entries":
      case "restored-ledger":
        return changed(given);
      case "message":
        return "entries" in given.message ? { ...given, message: changed(given.message) } : given;
      case "gossip":
        return "entries" in given.message ? { ...given, message: changed(given.message) } : given;
      default:
        return given;
    }
  };
  runtime.input = (given) => input(heard(given));
}
