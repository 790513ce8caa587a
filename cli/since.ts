/** `--since`: a moment as people say it, as an age or as a date. */
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type Options, optionText } from "./command.ts";
import { parseDurationMs } from "./units.ts";

/** Wall milliseconds; undefined when nothing is said. Throws `usage`. */
export function sinceOf(options: Options): number | undefined {
  const text = optionText(options, "since");
  if (text === undefined) return undefined;
  const ago = parseDurationMs(text);
  const atMs =
    ago === undefined
      ? /^\d{4}-\d\d-\d\d/.test(text)
        ? Date.parse(localMoment(text))
        : Number.NaN
      : Date.now() - ago;
  if (!(atMs >= 0))
    throw new SwarmError("usage", `--since takes a time, not ${text}`, {
      remedy: "--since 30m, --since 7d, --since 2030-01-31T09:05",
    });
  return Math.floor(atMs);
}

/** A day alone means its begin here, not in Greenwich. */
const localMoment = (text: string): string => (text.length === 10 ? `${text}T00:00` : text);
