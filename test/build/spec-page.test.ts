/** The page about specs shows what is true: its specs come to the actions, or to the refusals, that stand below them. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { SpecError } from "../../protocol/build/problem.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { parseSpec } from "../../protocol/build/spec.ts";
import { sameForAll, toolSetsOf } from "../../protocol/build/tool-sets.ts";
import { emptyDigest } from "../../protocol/kernel/digest.ts";

const page = readFileSync("specs/spec.md", "utf8");
const blocks = [...page.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map(([, language, name, text]) => ({
  language,
  name,
  text: text!,
}));
const named = new Map(blocks.filter((b) => b.name !== undefined).map((b) => [b.name!, b.text]));
const listing = [
  "demo/main.c",
  "demo/main_test.c",
  "demo/demo.h",
  "src/main.c",
  "src/old.h",
  "zlib/main.c",
].map((path) => ({ path, digest: emptyDigest, executable: false }));

const load = (path: string) => (named.has(path) ? { text: named.get(path)! } : { message: `no ${path}` });

function outcomeOf(text: string): string {
  try {
    const spec = parseSpec(text, "spec.yaml", { load });
    const graph = resolveSpec(spec, listing, sameForAll(toolSetsOf(spec, listing), "1"));
    return [
      ...spec.actions.flatMap((action) =>
        graph.actions
          .filter(
            (a) =>
              a.group === action.name &&
              a.name.startsWith([action.name, action.cell.name].filter(Boolean).join("/")),
          )
          .map((a) => a.name as string),
      ),
      ...spec.leftOut.map(({ name, why }) => `left out: ${name}: ${why}`),
    ].join("\n");
  } catch (error) {
    if (error instanceof SpecError) return error.message;
    throw error;
  }
}

const shown = blocks.flatMap((block, i) =>
  block.language === "actions" || block.language === "refusal"
    ? [{ said: block.text.trim(), spec: blocks[i - 1]!.text }]
    : [],
);

it("shows several", () => {
  expect(shown.length).toBeGreaterThan(4);
});

it.each(shown)("$said", ({ said, spec }) => {
  expect(outcomeOf(spec)).toBe(said);
});

it("shows specs and parts of specs that are read", () => {
  const parts = blocks.filter(
    (b, i) => b.language === "yaml" && b.name === undefined && blocks[i + 1]?.language !== "refusal",
  );
  expect(parts.length).toBeGreaterThan(3);
  for (const { text } of parts) {
    const whole = text.startsWith("swarmd:")
      ? text
      : `swarmd: 1\nname: x\nactions:\n${text.replace(/^/gm, "  ")}`;
    expect(() => parseSpec(whole, "spec.yaml", { load })).not.toThrow();
  }
});
