/** Bytes that nobody alive has: the results that stood for them are reported lost, and their actions run again. */
import type { Digest } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";

/** Says `lost` for every result of a build that names one of these digests. Returns how many actions it concerns. */
export function reportLost(desk: Desk, build: Build, gone: ReadonlySet<Digest>): number {
  const claims = build.claims;
  if (!claims || claims.cancelled || claims.sealed) return 0;
  let count = 0;
  for (let index = 0; index < claims.actions.size; index++) {
    if (claims.actions.get(index) !== "done") continue;
    const result = claims.resultOf(index);
    if (!result || !namesOne(desk, result.result.outputs, gone)) continue;
    const results = claims.sourcesOf(index, result);
    if (results.length === 0) continue;
    count++;
    desk.say(
      build.id,
      { kind: "lost", action: claims.action(index).name, results, reason: "no live member has its outputs" },
      { urgent: true },
    );
  }
  return count;
}

function namesOne(
  desk: Desk,
  outputs: readonly { readonly digest: Digest; readonly kind: "file" | "folder" }[],
  gone: ReadonlySet<Digest>,
): boolean {
  return outputs.some(
    (o) =>
      gone.has(o.digest) ||
      (o.kind === "folder" && (desk.trees.get(o.digest)?.some((f) => gone.has(f.digest)) ?? false)),
  );
}
