/** What is wrong with a spec: every problem with its place and what to do, several at once. */
import { SwarmError } from "../kernel/errors.ts";

/** A position in a spec file; line and column count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What is wrong, before it is known where it stands. */
export interface Trouble {
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

export interface Problem extends Place, Trouble {
  readonly file: string;
}

/** Problems beyond these are counted, not listed. */
const problemsMax = 20;

/** Refusal `spec-invalid`; the message lists the problems as `file:line:column: message`, hints indented below. */
export class SpecError extends SwarmError {
  readonly problems: readonly Problem[];

  /** Problems in any order, at least one; they are listed in the order of the file, each once. */
  constructor(problems: readonly Problem[]) {
    const files = [...new Set(problems.map((p) => p.file))];
    const sorted = [...problems].sort(
      (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
    );
    const shown = sorted.filter((p, i) => {
      const last = sorted[i - 1];
      return !last || p.message !== last.message || p.line !== last.line || p.file !== last.file;
    });
    const lines = shown.slice(0, problemsMax).map((p) => {
      const line = `${p.file}:${p.line}:${p.column}: ${p.message}`;
      return p.hint === undefined ? line : `${line}\n  hint: ${p.hint}`;
    });
    if (shown.length > problemsMax) lines.push(`and ${shown.length - problemsMax} more`);
    super("spec-invalid", lines.join("\n"), {
      remedy: shown.length === 1 ? "correct the spec and try again" : "correct these and try again",
    });
    this.problems = shown;
  }
}
