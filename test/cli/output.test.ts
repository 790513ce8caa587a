import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { camelCase, flagOf, quoted, valuesOf } from "../../cli/arguments.ts";
import { Output, plain, type Sink } from "../../cli/output.ts";
import { bytesText, countText, durationText, momentText, parseDurationMs } from "../../cli/units.ts";
import { bytes } from "../../node/gateway/web/quantity.ts";

class Screen implements Sink {
  text = "";
  readonly isTTY: boolean;
  readonly columns = 20;
  readonly rows = 6;
  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }
  write(text: string) {
    this.text += text;
  }
}

const outputOn = (isTTY: boolean, env: Record<string, string> = {}) => {
  const screen = new Screen(isTTY);
  return { screen, output: new Output(screen, new Screen(isTTY), env) };
};

describe("output", () => {
  test("has colour on a terminal, and not with NO_COLOR, not in a pipe, not on a dumb terminal", () => {
    expect(outputOn(true).output.tone("bad", "x")).toBe("\x1b[31mx\x1b[39m");
    expect(outputOn(true, { NO_COLOR: "1" }).output.tone("bad", "x")).toBe("x");
    expect(outputOn(true, { TERM: "dumb" }).output.tone("bad", "x")).toBe("x");
    expect(outputOn(false).output.tone("bad", "x")).toBe("x");
  });

  test("a table aligns numbers to the right, looks through colours and leaves no blanks at line ends", () => {
    const { screen, output } = outputOn(false);
    output.table(
      [{ title: "NAME" }, { title: "N", right: true }, { title: "X" }],
      [
        ["a", "1", "yes"],
        ["\x1b[31mlonger\x1b[39m", "10", ""],
      ],
    );
    expect(screen.text).toBe("NAME     N  X\na        1  yes\n\x1b[31mlonger\x1b[39m  10\n");
  });

  test("the live area is drawn over itself, cut to the terminal's width and height, and gone in the end", () => {
    const { screen, output } = outputOn(true);
    output.live(Array.from({ length: 9 }, (_, i) => `${i} ${"x".repeat(30)}`));
    expect(screen.text.split("\n")).toHaveLength(5);
    expect(screen.text.split("\n")[0]).toBe(`0 ${"x".repeat(16)}…`);
    screen.text = "";
    output.above("stays");
    expect(screen.text).toBe("\x1b[4A\x1b[Jstays\n");
    screen.text = "";
    output.live(["bar"]);
    output.live([]);
    expect(screen.text).toBe("bar\n\x1b[1A\x1b[J");
  });

  test("there is no live area in a pipe", () => {
    const { screen, output } = outputOn(false);
    output.live(["bar"]);
    expect(screen.text).toBe("");
  });

  test("what others wrote cannot steer a terminal, and passes a pipe untouched", () => {
    const evil = "\x1b]0;title\x07a\x1b[2Jb\x9bc\rd\te\n";
    const terminal = outputOn(true);
    terminal.output.raw(evil);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(terminal.screen.text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    expect(terminal.screen.text).toContain("d\te\n");
    const pipe = outputOn(false);
    pipe.output.raw(evil);
    expect(pipe.screen.text).toBe(evil);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
        expect(plain(text)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
      }),
    );
  });
});

describe("units", () => {
  test.for([
    [-5, "0 ms"],
    [0, "0 ms"],
    [850.4, "850 ms"],
    [999.4, "999 ms"],
    [999.9, "1.0 s"],
    [12_340, "12.3 s"],
    [59_960, "1 min 00 s"],
    [125_000, "2 min 05 s"],
    [3_599_999, "1 h 00 min"],
    [3_780_000, "1 h 03 min"],
    [187_200_000, "2 d 04 h"],
  ] as const)("%d ms are %s", ([ms, text]) => {
    expect(durationText(ms)).toBe(text);
  });

  test.for([
    [0, "0 B"],
    [1023, "1023 B"],
    [1229, "1.2 KiB"],
    [10_189, "10 KiB"],
    [1_048_100, "1.0 MiB"],
    [120 * 2 ** 20, "120 MiB"],
    [5000 * 2 ** 40, "5000 TiB"],
  ] as const)("%d bytes are %s, here and in the dashboard", ([value, text]) => {
    expect([bytesText(value), bytes(value)]).toEqual([text, text]);
  });

  test("counts, moments and times to wait", () => {
    expect([countText(1, "file"), countText(0, "file")]).toEqual(["1 file", "0 files"]);
    expect(momentText(0)).toMatch(/^19(69|70)-\d\d-\d\d \d\d:\d\d$/);
    expect(["90s", "30m", "24h", "7d", "1w", "", "-1h"].map(parseDurationMs)).toEqual([
      90_000,
      1_800_000,
      86_400_000,
      604_800_000,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("arguments", () => {
  test("values are found as they were written, in every form, up to --", () => {
    const argv = ["--to", "007", "x", "--to=1e3", "--other", "--to", "--flag", "--to=", "--", "--to", "no"];
    expect(valuesOf(argv, "to")).toEqual(["007", "1e3", ""]);
    expect(valuesOf(["--log-file", "0x10"], "logFile")).toEqual(["0x10"]);
  });

  test("names of options go both ways", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{2,8}(-[a-z]{1,8}){0,3}$/), (name) => {
        expect(flagOf(camelCase(`--${name}`))).toBe(`--${name}`);
      }),
    );
  });

  test("a quoted word is one word to a shell", () => {
    expect(["compile/a", "a b", "it's", "", "$x"].map(quoted)).toEqual([
      "compile/a",
      "'a b'",
      "'it'\\''s'",
      "''",
      "'$x'",
    ]);
  });
});
