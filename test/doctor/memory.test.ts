import { expect, test } from "vitest";
import { checkDisk, checkForks } from "../../node/doctor/memory.ts";

const segment = { what: "segment", file: "/q/segment-1", atMs: 0, bytes: 1 } as const;

test("a disk that gave back what it was given is well, one that did not is not until all came back", () => {
  expect(checkDisk([], "/q", 0).level).toBe("ok");
  expect(checkDisk([segment], "/q", 4)).toMatchObject({
    level: "bad",
    text: expect.stringMatching(/1 damaged \(segment\) in \/q; 4 entries/),
  });
  expect(checkDisk([segment], "/q", 0)).toMatchObject({ level: "note", remedy: expect.any(String) });
});

test("members that told two stories are named, those that started anew since without alarm", () => {
  const fork = { node: "bob", start: "3-0000000a", seq: 7, over: false };
  expect(checkForks([]).level).toBe("ok");
  expect(checkForks([fork])).toMatchObject({
    level: "bad",
    text: expect.stringContaining("bob in its start"),
  });
  expect(checkForks([{ ...fork, over: true }]).level).toBe("note");
});
