/** Patterns, templates and shell words: what a text stands for once values are put into it. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearest } from "../../protocol/build/nearest.ts";
import {
  compileExcept,
  compilePattern,
  escapePattern,
  isPattern,
  patternBase,
  patternTrouble,
} from "../../protocol/build/patterns.ts";
import { shellQuote } from "../../protocol/build/shell.ts";
import {
  type Lookup,
  parseTemplate,
  renderArguments,
  renderCommand,
  renderPattern,
} from "../../protocol/build/template.ts";

const path = fc
  .stringMatching(/^[ -~]{1,12}$/)
  .filter((p) => !p.startsWith("./") && !/(^|\/)\.{0,2}(\/|$)/.test(p));

describe("a pattern", () => {
  it.each([
    ["src/*.c", "src/a.c", true],
    ["src/*.c", "src/sub/a.c", false],
    ["src/**/*.h", "src/a.h", true],
    ["src/**/*.h", "src/x/y/a.h", true],
    ["src/{db,util}/*.cc", "src/util/x.cc", true],
    ["src/{db,util}/*.cc", "src/table/x.cc", false],
    ["**/*", ".hidden/x", true],
    ["src/[a-c]?.c", "src/b1.c", true],
    ["src/[!a-c]?.c", "src/b1.c", false],
    ["src/\\*.c", "src/*.c", true],
    ["src/\\*.c", "src/a.c", false],
    ["c++/*.h", "c++/a.h", true],
    ["!(a)/*.c", "b/x.c", false],
    ["!(a)/*.c", "!(a)/x.c", true],
    ["src/**", "src", false],
    ["src/**", "src/a/b", true],
    ["**/b/**/d", "a/b/x/b/c/d", true],
    ["**/b/**/d", "a/b/x/b/c/e", false],
    ["a{b,c{d,e}}f", "acef", true],
    ["a{,b}.c", "a.c", true],
    ["[\\]a]", "]", true],
    ["?", "\u{1f600}", true],
    ["a**b/c", "axyb/c", true],
  ])("%s over %s: %s", (pattern, file, matches) => {
    expect(compilePattern(pattern)(file)).toBe(matches);
  });

  it("made of an escaped path matches that path and nothing else", () => {
    fc.assert(
      fc.property(path, path, (a, b) => {
        const test = compilePattern(escapePattern(a));
        expect(test(a)).toBe(true);
        expect(test(b)).toBe(a === b);
        expect(isPattern(escapePattern(a))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("has its matches below its base", () => {
    expect(patternBase("src/{a/b,c}/*.h")).toBe("src");
    expect(patternBase("a/b/*.h")).toBe("a/b");
    expect(patternBase("*.h")).toBe("");
    expect(patternBase("a\\*/b/*.h")).toBe("a*/b");
  });

  it.each([
    "{a",
    "a}",
    "[a",
    "a]",
    "[a/b]",
    "[a-",
    `{${"a,".repeat(70)}}`,
    "{a,b}".repeat(7),
    "x".repeat(2000),
  ])("that cannot be used is refused: %s", (pattern) => {
    expect(patternTrouble(pattern)).toBeDefined();
  });

  it("in except without a slash tells names apart wherever they lie", () => {
    expect(compileExcept("*_test.cc")("src/db/x_test.cc")).toBe(true);
    expect(compileExcept("src/*_test.cc")("src/db/x_test.cc")).toBe(false);
  });

  it("matches as the same pattern does as a regular expression", () => {
    const parts: Record<string, string> = {
      a: "a",
      "*b": "[^/]*b",
      "a*": "a[^/]*",
      "?": "[^/]",
      "[ab]": "[ab]",
      "[!a]": "[^a/]",
    };
    const segment = fc.oneof(
      fc.constant(["**"]),
      fc.array(fc.constantFrom(...Object.keys(parts)), { minLength: 1, maxLength: 4 }),
    );
    const text = fc.array(fc.constantFrom("a", "b", "/"), { maxLength: 10 });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), text, (segments, letters) => {
        const expression = segments.map((tokens, i) => {
          const last = i === segments.length - 1;
          if (tokens[0] === "**") return last ? "(?:[^/]*/)*[^/]*" : "(?:[^/]*/)*";
          return tokens.map((token) => parts[token]).join("") + (last ? "" : "/");
        });
        const pattern = segments.map((tokens) => tokens.join("")).join("/");
        const path = letters.join("");
        expect(compilePattern(pattern)(path)).toBe(new RegExp(`^${expression.join("")}$`).test(path));
      }),
      { numRuns: 3000 },
    );
  });

  it("takes bounded time however it is written", () => {
    expect(compilePattern("*a".repeat(500))(`${"a".repeat(2000)}b`)).toBe(false);
    expect(compilePattern("**/a/".repeat(200))(`${"a/".repeat(1000)}b`)).toBe(false);
  });
});

describe("values in a command", () => {
  const lookup = (values: Record<string, string[]>): Lookup => {
    return (reference) => values[reference] ?? { message: `unknown ${reference}` };
  };
  const command = (text: string, values: Record<string, string[]>) => {
    const rendered = renderCommand(text, lookup(values));
    return "value" in rendered ? rendered.value : rendered.trouble.message;
  };

  it("arrive in the program as they are, whatever they hold", () => {
    const words = fc.array(
      fc.string({ minLength: 1 }).filter((s) => !s.includes("\0") && s.isWellFormed()),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(words, (list) => {
        const script = command(`printf '%s\\0' \${x}`, { x: list });
        const out = execFileSync("/bin/sh", ["-e", "-c", script], { encoding: "utf8" });
        expect(out.split("\0").slice(0, -1)).toEqual(list);
      }),
      { numRuns: 60 },
    );
  });

  it("are quoted only where that is needed", () => {
    expect(shellQuote("src/a-b_c.o")).toBe("src/a-b_c.o");
    expect(shellQuote("it's")).toBe("'it'\\''s'");
    expect(shellQuote("")).toBe("''");
    expect(command(`ar rc \${out} \${o}`, { out: ["a.a"], o: ["x.o", "a b.o"] })).toBe(
      "ar rc a.a x.o 'a b.o'",
    );
  });

  it("may stand between quotes as long as they need none", () => {
    expect(command(`echo "\${x}"`, { x: ["a.o"] })).toBe('echo "a.o"');
    expect(command(`echo "\${x}"`, { x: ["a b"] })).toContain("stands between quotes");
    expect(command(`echo '\${x}'`, { x: ["$a"] })).toContain("stands between quotes");
    expect(command(`# it's a comment\necho \${x}`, { x: ["a b"] })).toBe("# it's a comment\necho 'a b'");
  });

  it("leave the shell's own variables alone", () => {
    expect(command(`echo $A $\${B:-x} $$ \${x}`, { x: ["1"] })).toBe(`echo $A \${B:-x} $$ 1`);
    expect(parseTemplate("a ${b c")).toEqual([{ literal: "a ${b c" }]);
  });

  it("become arguments of their own in a list, and only one within a word", () => {
    const values = lookup({ x: ["a", "b"], y: ["c"] });
    expect(renderArguments(`\${x}`, values)).toEqual({ value: ["a", "b"] });
    expect(renderArguments(`-o\${y}`, values)).toEqual({ value: ["-oc"] });
    expect(renderArguments(`-o\${x}`, values)).toMatchObject({
      trouble: { message: expect.stringContaining("2 values") },
    });
    expect(renderPattern(`\${y}*.o`, lookup({ y: ["a*"] }))).toEqual({ value: "a\\**.o" });
  });
});

describe("a mistyped word", () => {
  it("is told from others by few edits", () => {
    expect(nearest("imputs", ["inputs", "actions"])).toBe("inputs");
    expect(nearest("otu", ["in", "out"])).toBe("out");
    expect(nearest("zzz", ["inputs", "actions"])).toBeUndefined();
    expect(nearest("x".repeat(10_000), ["x"])).toBeUndefined();
  });
});
