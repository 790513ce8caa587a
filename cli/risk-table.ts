/** The risk of a release in words: the score, its parts with what they found, and what helps. */
import type { Risk } from "../protocol/build/verdict.ts";
import type { Output } from "./output.ts";
import { countText } from "./units.ts";

export function showRisk(output: Output, risk: Risk, what: string): void {
  const tone = risk.refuses ? "bad" : risk.score > 0 ? "note" : "good";
  output.line(`${output.tone(tone, `risk ${risk.score} of 100`)} for ${what}`);
  for (const { kind, points, count, findings, remedy } of risk.parts) {
    output.line(`${String(points).padStart(4)}  ${kind}, ${countText(count, "time")} → ${remedy}`);
    for (const { where, what: found } of findings) output.line(`        ${where}: ${found}`);
    if (count > findings.length) output.line(`        and ${count - findings.length} more`);
  }
}
