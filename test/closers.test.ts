import { expect, test } from "vitest";
import { Closers } from "../node/closers.ts";

test("what cannot be closed keeps nothing else open, and is told", async () => {
  const closers = new Closers();
  const closed: string[] = [];
  const failed: unknown[] = [];
  closers.push(() => closed.push("lock"));
  closers.push(async () => {
    throw new Error("something stays in the folder");
  });
  closers.push(() => {
    throw new Error("not open any more");
  });
  closers.push(async () => closed.push("network"));
  await closers.close((error) => failed.push(String(error)));
  expect(closed).toEqual(["network", "lock"]);
  expect(failed).toEqual(["Error: not open any more", "Error: something stays in the folder"]);
  await closers.close((error) => failed.push(error));
  expect(closed).toHaveLength(2);
});
