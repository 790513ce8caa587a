/** Numbers as people read them, with their units, and the words around them; what is not known is a dash. */
import type { Unknown } from "../../../protocol/swarm/vitals.ts";

export const unknown = "–";

const sizes = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** In powers of 1024, as the command line has them. */
export function bytes(value: number | undefined): string {
  if (value === undefined) return unknown;
  let at = 0;
  while (value >= (at === 0 ? 1024 : 1023.5) && at < sizes.length - 1) {
    value /= 1024;
    at++;
  }
  return `${at === 0 ? value : value.toFixed(value < 9.95 ? 1 : 0)} ${sizes[at]}`;
}

/** 850 ms, 12.3 s, 4:05 min, 2:10 h, 3 d */
export function duration(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return unknown;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes}:${two(Math.floor(ms / 1000) % 60)} min`;
  if (minutes < 2880) return `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
  return `${Math.floor(minutes / 1440)} d`;
}

const two = (value: number): string => String(value).padStart(2, "0");

export const count = (value: number | undefined): string =>
  value === undefined ? unknown : value.toLocaleString("en").replaceAll(",", "\u202f");

export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** With a capital, as a sentence begins. */
export const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;

export const measured = (value: number | Unknown | undefined, unit: string, digits = 0): string =>
  typeof value === "number" ? `${value.toFixed(digits)}${unit === "" ? "" : ` ${unit}`}` : unknown;

/** By this browser's clock. */
export function moment(ms: number): string {
  const at = new Date(ms);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${clock(ms)}`;
}

/** The time of day, by this browser's clock. */
export function clock(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
