import { expect, test } from "vitest";
import type { SqlAnswer, SqlValue } from "../../node/control/data.ts";
import { kindsOf, sorted, textOf } from "../../node/gateway/web/data/cells.ts";
import { csvOf } from "../../node/gateway/web/data/csv.ts";
import { pointedIn } from "../../node/gateway/web/data/place.ts";

const answer = (columns: readonly string[], ...rows: SqlValue[][]): SqlAnswer => ({
  columns: columns.map((name) => ({ name })),
  rows,
  truncated: false,
  tookMs: 1,
});

test("what a column is follows from its name and all of its values", () => {
  const names = ["build", "digest", "wall_ms", "ended_ms", "fetched_bytes", "n", "reason", "odd_ms", "none"];
  const row = ["demo-5feceb66ff", `${"a".repeat(64)}/12`, 850, 1.9e12, 2048, 3, "it broke", 5, null];
  const kinds = ["build", "digest", "milliseconds", "moment", "bytes", "number", "text", "text", "text"];
  const mixed = [...row.slice(0, 7), "soon", null];
  expect(kindsOf(answer(names, row, mixed))).toEqual(kinds);
  expect(kindsOf(answer(["build"], ["no build at all"]))).toEqual(["text"]);
  expect([
    textOf(850, "milliseconds"),
    textOf(2048, "bytes"),
    textOf(1234567, "number"),
    textOf(1 / 3, "number"),
  ]).toEqual(["850 ms", "2.0 KiB", "1\u202f234\u202f567", "0.333333"]);
});

test("rows are sorted by value, and those without one stand last either way", () => {
  const rows = [[10], [null], ["b"], [9], ["a"]];
  expect(sorted(rows, 0, false).flat()).toEqual([9, 10, "a", "b", null]);
  expect(sorted(rows, 0, true).flat()).toEqual(["b", "a", 10, 9, null]);
});

test("an answer for spreadsheets keeps what stands in it, and tells nothing from an empty text", () => {
  expect(csvOf(answer(["a", "b,c"], ['say "hi"', null], ["two\nlines", ""], [1.5, "plain"]))).toBe(
    'a,"b,c"\r\n"say ""hi""",\r\n"two\nlines",""\r\n1.5,plain\r\n',
  );
});

test("a complaint with a place is shown at that place, one without or with another's is not", () => {
  const query = "select *\nfrom nowhere";
  expect(pointedIn(query, "no such table: nowhere at line 2, column 6")).toEqual({
    at: 14,
    line: "from nowhere",
    mark: "     ▲",
  });
  expect(pointedIn(query, "it takes too long")).toBeUndefined();
  expect(pointedIn(query, "wrong at line 9, column 1")).toBeUndefined();
  expect(pointedIn("x".repeat(10_000), "wrong at line 1, column 9001")!.line.length).toBe(200);
});
