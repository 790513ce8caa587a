import { expect, test } from "vitest";
import { Awake } from "../node/awake.ts";

function machine() {
  const said: string[] = [];
  let lost: (why: string) => void = () => {};
  const awake = new Awake(
    (why) => said.push(`refused: ${why}`),
    (tell) => {
      said.push("held");
      lost = tell;
      return { letGo: () => said.push("let go") };
    },
  );
  return { awake, said, lose: (why: string) => lost(why) };
}

test("the machine is held awake while actions run, and let go once nothing ran for a while", () => {
  const { awake, said } = machine();
  awake.look(0, 0);
  expect(said).toEqual([]);
  awake.look(2, 1000);
  awake.look(0, 2000);
  awake.look(1, 9000);
  awake.look(0, 10_000);
  awake.look(0, 19_999);
  expect(said).toEqual(["held"]);
  awake.look(0, 20_000);
  expect(said).toEqual(["held", "let go"]);
  awake.look(1, 30_000);
  awake.stop();
  awake.stop();
  expect(said).toEqual(["held", "let go", "held", "let go"]);
});

test("a machine that has no room for what would hold it awake goes on, and that is told once", () => {
  const said: string[] = [];
  const awake = new Awake(
    (why) => said.push(why),
    () => {
      throw new Error("spawn ENOMEM");
    },
  );
  awake.look(1, 0);
  awake.look(1, 1000);
  expect(said).toEqual(["spawn ENOMEM"]);
});

test("a machine that cannot be held awake is asked once, and that is told", () => {
  const { awake, said, lose } = machine();
  awake.look(1, 0);
  lose("Access denied");
  awake.look(1, 1000);
  awake.look(0, 50_000);
  awake.look(1, 60_000);
  expect(said).toEqual(["held", "refused: Access denied"]);
});
