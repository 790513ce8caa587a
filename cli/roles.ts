/** Roles as people write them. Named here, not taken from the vocabulary: that file loads all of it. */
import { nearestOr } from "../protocol/build/nearest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Role } from "../protocol/timeline/events.ts";

export const roleNames: readonly Role[] = ["observer", "submitter", "builder", "releaser", "admin"];

/** Throws `usage`, with the nearest word that is one. */
export function roleOf(word: string): Role {
  const role = roleNames.find((one) => one === word);
  if (role) return role;
  throw new SwarmError("usage", `there is no role ${word}`, {
    remedy: nearestOr(word, roleNames, `the roles: ${roleNames.join(", ")}`),
  });
}

/** `builder,submitter` sets; `+admin,-builder` adds to what there is and takes away. Throws `usage`. */
export function rolesChanged(before: readonly Role[], text: string): Role[] {
  const words = text.split(",").filter((word) => word !== "");
  const signed = words.filter((word) => /^[+-]/.test(word));
  if (words.length === 0 || (signed.length > 0 && signed.length < words.length))
    throw new SwarmError("usage", "roles are written as builder,submitter or as +admin,-builder", {
      remedy: `the roles: ${roleNames.join(", ")}`,
    });
  if (signed.length === 0) return [...new Set(words.map(roleOf))];
  const roles = new Set(before);
  for (const word of words) {
    const role = roleOf(word.slice(1));
    if (word.startsWith("+")) roles.add(role);
    else roles.delete(role);
  }
  return roleNames.filter((role) => roles.has(role));
}
