/** Where a command's words go: lines, tables and one live area on a terminal; colour only where a person sees it. */
import { stripVTControlCharacters, styleText } from "node:util";

export type Tone = "good" | "bad" | "note" | "faint" | "strong";

const styles = { good: "green", bad: "red", note: "yellow", faint: "dim", strong: "bold" } as const;

/** What of a stream is needed: process.stdout is one. */
export interface Sink {
  write(text: string | Uint8Array): unknown;
  once?(event: "drain", listener: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

export class Output {
  /** Both streams go to a person: progress may be drawn and questions asked. */
  readonly terminal: boolean;
  private readonly out: Sink;
  private readonly err: Sink;
  private readonly colour: boolean;
  private liveLines = 0;

  constructor(out: Sink, err: Sink, env: Readonly<Record<string, string | undefined>>) {
    this.out = out;
    this.err = err;
    this.terminal = out.isTTY === true && env.TERM !== "dumb";
    this.colour = this.terminal && !env.NO_COLOR;
  }

  /** A line of the answer. */
  line(text = "") {
    this.out.write(`${text}\n`);
  }

  /** A piece of something's own output; what could steer the terminal is taken out where there is one. */
  raw(text: string) {
    this.out.write(this.terminal ? plain(text) : text);
  }

  /** A piece of an answer that is no text; resolves when the reader is ready for more. */
  async bytes(chunk: Uint8Array): Promise<void> {
    if (this.out.write(chunk) === false && this.out.once)
      await new Promise<void>((resolve) => this.out.once!("drain", resolve));
  }

  /** A word beside the answer, for people: it never stands in the way of a pipe. */
  note(text = "") {
    this.err.write(`${text}\n`);
  }

  json(value: unknown) {
    this.out.write(`${JSON.stringify(value)}\n`);
  }

  tone(tone: Tone, text: string): string {
    return this.colour ? styleText(styles[tone], text, { validateStream: false }) : text;
  }

  /** Rows under their titles, columns two blanks apart, no blanks at line ends. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]) {
    const widths = columns.map((column, i) =>
      Math.max(column.title.length, ...rows.map((row) => widthOf(row[i] ?? ""))),
    );
    const lineOf = (cells: readonly string[]) =>
      columns
        .map((column, i) => {
          const cell = cells[i] ?? "";
          const blanks = " ".repeat(Math.max(0, widths[i]! - widthOf(cell)));
          return column.right ? blanks + cell : cell + blanks;
        })
        .join("  ")
        .trimEnd();
    const titles = lineOf(columns.map((column) => column.title));
    this.line(this.tone("faint", titles));
    for (const row of rows) this.line(lineOf(row));
  }

  /** Draws the live area anew at the bottom of the terminal; none on anything else. */
  live(lines: readonly string[]) {
    if (!this.terminal) return;
    const width = this.out.columns ?? 80;
    const height = Math.max(1, (this.out.rows ?? 24) - 2);
    const shown = lines.slice(0, height).map((line) => cut(line, width - 1));
    this.out.write(`${this.erase()}${shown.map((line) => `${line}\n`).join("")}`);
    this.liveLines = shown.length;
  }

  /** A line that stays above the live area. */
  above(text: string) {
    this.out.write(this.erase());
    this.liveLines = 0;
    this.line(text);
  }

  private erase(): string {
    return this.liveLines > 0 ? `\x1b[${this.liveLines}A\x1b[J` : "";
  }
}

/** Text from elsewhere without what could steer a terminal. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return stripVTControlCharacters(text).replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "");
}

const widthOf = (text: string) => stripVTControlCharacters(text).length;

/** At most `width` characters; what is cut shows an ellipsis and loses its colours. */
function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return `${stripVTControlCharacters(text).slice(0, Math.max(0, width - 1))}…`;
}
