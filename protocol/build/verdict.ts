/** What is held against a release, in parts, and what its owner asks of it. The score is made in release/risk.ts. */

export type RiskKind =
  | "failed"
  | "missing"
  | "refused"
  | "divergent"
  | "rebuilt-otherwise"
  | "doubted-builder"
  | "too-few-builders"
  | "unsigned"
  | "wrong-machine"
  | "wrong-flags"
  | "wrong-interpreter"
  | "isa-level"
  | "soname-missing"
  | "search-path"
  | "executable-stack"
  | "text-relocations"
  | "set-uid"
  | "set-gid"
  | "world-writable"
  | "absolute-link"
  | "broken-elf"
  | "size-jump"
  | "target-unknown";

export interface RiskPolicy {
  /** Distinct members that must have built each artifact alike. */
  readonly builders: number;
  /** Packages must be signed. */
  readonly signed: boolean;
  /** Sonames that the machines have which install from here. */
  readonly base: readonly string[];
  /** Where in a package files of other machines may lie, as `usr/lib/firmware/`. */
  readonly foreign: readonly string[];
}

export interface RiskPart {
  readonly kind: RiskKind;
  readonly points: number;
  /** How many findings there are; the first few are said. */
  readonly count: number;
  readonly findings: readonly { readonly where: string; readonly what: string }[];
  readonly remedy: string;
}

export interface Risk {
  readonly score: number;
  /** It is not to be released without a reason. */
  readonly refuses: boolean;
  /** The heaviest first. */
  readonly parts: readonly RiskPart[];
}
