/** The colours of the style sheet, for what is painted. */
import { tones } from "./states.ts";

const names = [
  "ground",
  "raised",
  "rule",
  "edge",
  "path",
  "text",
  "quiet",
  "faded",
  ...tones,
  ...tones.map((tone) => `on-${tone}`),
];

/** As they are for an element now, by their names without dashes; and its font. */
export function coloursOf(element: HTMLElement): Record<string, string> {
  const style = getComputedStyle(element);
  return {
    ...Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim() || "#888"])),
    font: style.fontFamily,
  };
}

/** Calls each time they become others, until the signal. */
export function onColours(signal: AbortSignal, changed: () => void): void {
  addEventListener("theme", changed, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed, { signal });
}
