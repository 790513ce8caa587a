/** Which action of a build a person means by a word, and the helpful no where it is none. */
import { nearestOr } from "../build/nearest.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { ActionName } from "../kernel/ids.ts";
import type { Build } from "./build.ts";

const shownMax = 5;

/** The place of the action in its build, whose graph must be here. Throws `not-found`: what the word may have meant. */
export function indexNamed({ id, claims }: Build, name: string): number {
  const { indexOf, graph } = claims!;
  const index = indexOf.get(name as ActionName);
  if (index !== undefined) return index;
  const made = graph.actions.filter(({ group }) => group === name);
  const some = made.length > 0 ? made : graph.actions;
  const names = some.slice(0, shownMax).map((action) => action.name);
  const listed = `${names.join(", ")}${some.length > shownMax ? " …" : ""}`;
  throw new SwarmError("not-found", `${id} has no action ${name}`, {
    remedy:
      made.length > 0
        ? `${name} is ${made.length} actions, name one: ${listed}`
        : nearestOr(name, indexOf.keys(), `it has ${listed}`),
  });
}
