/** The parameters in a query: one that a path does not take is refused, for what was meant by it would be passed over without a word. */
import { nearestOr } from "../../protocol/build/nearest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";

const wordMax = 100;

/** What there is. */
export const documented = "what there is: /api/v1/openapi.json";

/** The parameters of a request for `path`, each of them one of `known` and given once. Throws `usage`. */
export function parametersOf(
  path: string,
  query: URLSearchParams,
  known: readonly string[],
): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of query) {
    const word = name.slice(0, wordMax);
    if (!known.includes(name))
      throw new SwarmError(
        "usage",
        known.length === 0
          ? `${path} takes no parameter, and was given ${word}`
          : `${path} takes ${known.join(", ")}, not ${word}`,
        { remedy: nearestOr(word, known, documented) },
      );
    if (Object.hasOwn(given, name))
      throw new SwarmError("usage", `${name} is given twice`, { remedy: documented });
    given[name] = value;
  }
  return given;
}
