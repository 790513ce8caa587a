/** Whether what was released, or waits for it, is still what its build's facts say: whoever made it may be disowned or tainted by now. */
import type { ReleaseItem } from "../release/manifest.ts";
import type { Claims } from "./claims.ts";

/** Whether some result that counts of the item's action brings it. Of files in a folder the folder alone is looked at. */
export function stands(claims: Claims, { action, path, digest }: ReleaseItem): boolean {
  const index = claims.indexOf.get(action);
  if (index === undefined) return false;
  return claims
    .resultsOf(index)
    .some(({ result }) =>
      result.outputs.some((output) =>
        output.kind === "file"
          ? output.path === path && output.digest === digest
          : path.startsWith(`${output.path}/`),
      ),
    );
}
