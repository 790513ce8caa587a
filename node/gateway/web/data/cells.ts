/** What the name of a column says of its values: their unit, whether they are moments, what they lead to. */
import type { SqlAnswer, SqlValue } from "../../../control/data.ts";
import { bytes, count, duration, moment } from "../quantity.ts";

export type CellKind = "text" | "number" | "moment" | "milliseconds" | "bytes" | "build" | "digest";

/** Wall milliseconds are beyond this, durations below: September 2001, or thirty years. */
const wallMsMin = 1e12;
const wallMsMax = 8e15;

/** What links lead to; the daemon judges ids, the page only tells them from other texts. */
const buildForm = /^[\w.-]{1,64}-[0-9a-f]{10}$/;

/** By the name and by all values: one that does not fit makes the whole column plain. */
export function kindsOf({ columns, rows }: SqlAnswer): CellKind[] {
  return columns.map(({ name }, at) => {
    const values = rows.map((row) => row[at] ?? null).filter((value) => value !== null);
    const numbers = values.filter((value) => typeof value === "number");
    if (values.length === 0 || numbers.length < values.length) {
      const texts = values.filter((value) => typeof value === "string");
      if (texts.length === 0 || texts.length < values.length) return "text";
      if (name === "build" && texts.every((text) => buildForm.test(text))) return "build";
      return texts.every((text) => /^[0-9a-f]{64}\/\d{1,16}$/.test(text)) ? "digest" : "text";
    }
    if (name.endsWith("_ms") || name === "ms") {
      if (numbers.every((value) => value > wallMsMin && value < wallMsMax)) return "moment";
      return "milliseconds";
    }
    return name.endsWith("_bytes") || name === "bytes" ? "bytes" : "number";
  });
}

export const isAligned = (kind: CellKind): boolean =>
  kind === "number" || kind === "milliseconds" || kind === "bytes";

/** As people read it; what is not there is empty. */
export function textOf(value: SqlValue, kind: CellKind): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (kind === "moment") return moment(value);
  if (kind === "milliseconds") return duration(value);
  if (kind === "bytes") return bytes(value);
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(6)));
}

/** Numbers before texts, nothing last whichever way it is sorted. */
export function sorted(
  rows: SqlAnswer["rows"],
  at: number,
  isDescending: boolean,
): readonly (readonly SqlValue[])[] {
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [a[at] ?? null, b[at] ?? null];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    if (typeof x !== typeof y) return sign * (typeof x === "number" ? -1 : 1);
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  });
}
