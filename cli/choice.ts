/** A word that must be one of a few, as an option takes it or as a command's deed: refused with all of them, and the nearest. */
import { nearest } from "../protocol/build/nearest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";

/** `taker`: what takes it, `--by` or `service`. Throws `usage`. */
export function choiceOf<T extends string>(taker: string, word: string, choices: readonly T[]): T {
  const found = choices.find((one) => one === word);
  if (found !== undefined) return found;
  const best = nearest(word, choices);
  throw new SwarmError("usage", `${taker} takes ${choices.join(", ")}, not ${word}`, {
    remedy: best === undefined ? `one of them: ${taker} ${choices[0]}` : `did you mean ${taker} ${best}?`,
  });
}
