/** What the checkers watch, by name, and what they found. */

/** Every invariant with what it says. */
export const invariants = {
  "done absorbs": "an action with a result that was not reported lost is DONE, whatever came after it",
  "equal facts, equal states": "hosts with the same facts have the same state",
  "facts stay": "no fact is removed or replaced, and no ledger shrinks",
  "own prefix":
    "only the author's running incarnation appends to its chain; nobody keeps what an honest author never wrote",
  "no honest fork": "an honest author writes one unbroken chain per incarnation",
  "members decide": "what counts in a fold was said by members that may say it",
  "heeded in time": "what an admin says of a member is in force on every host it reaches within 5 s",
  "bounded executions": "an action is begun no more often than its facts and the faults allow",
  "one winner": "a holder stops what it runs as soon as it knows that its claim was closed or has lost",
  "grants what is ready":
    "a claim is said by the acting steward, for an action that is runnable in its own view",
  "what is held waits":
    "nobody grants or begins what he knows a person to hold, and a step lets through exactly what it names",
  "what is placed runs there":
    "nobody grants to one node, or begins there, what he knows a person to have placed on another",
  "grants once synced": "a daemon that was started grants and asks only after it heard what the others know",
  "expires the dead":
    "a claim is taken back by the acting steward, from a holder that is dead or was started anew",
  "answers are proved": "what a member takes from the cache its maker said, unless the maker lies",
  "nothing built twice":
    "an action is not granted whose result was there, within reach, before its build was submitted",
  "nobody idles beside work": "no runnable action waits beside an idle host that may run it",
  "honest goodput": "beside a liar four fifths of the slots of honest hosts that could work do",
  "nothing waits for ever":
    "whatever is open has a deadline, and no claim is open without anybody working on it",
  "slots kept": "a host runs no more at once than it has slots",
  "heat kept": "a host that is too hot takes nothing new",
  "bounded memory": "queues and memory stay within their limits",
  "staged whole": "what a complete build stages is every file that its spec says it releases",
  "one release per epoch": "an epoch has one release, to everybody, and every later coordinator finds it",
  "mirrors show whole epochs":
    "what a mirror shows is one certified epoch, all of it, and never an earlier one",
  "releases go on":
    "with a majority of voters whole, what is staged is released and shown by every whole mirror",
  "steps end": "no step throws, and time moves on",
  "work ends": "once a majority is whole again every action ends, and so does its build",
  "frontiers meet": "what one whole host knows all whole hosts know within 30 s",
} as const;

export type Invariant = keyof typeof invariants;

export interface Violation {
  readonly atMs: number;
  readonly invariant: Invariant;
  readonly what: string;
}

/** Says what was found; the moment is added. */
export type Accuse = (invariant: Invariant, what: string) => void;
