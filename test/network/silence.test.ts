/** Connections whose other end went without a word: who is asked, and what is given up. */
import type { Connection } from "@libp2p/interface";
import { beforeEach, expect, test } from "vitest";
import { Silence } from "../../node/network/silence.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

class Line {
  readonly remotePeer: { toString(): string };
  status = "open";
  asked = 0;
  answer = Promise.withResolvers<boolean>();

  constructor(peer: string) {
    this.remotePeer = { toString: () => peer };
  }

  abort() {
    this.status = "aborted";
  }
}

let lines: Line[];
let nowMs: number;
let look: () => void;
let silence: Silence;

beforeEach(() => {
  nowMs = 0;
  silence = new Silence({
    connections: () => lines as unknown as Connection[],
    echoes(connection) {
      const line = connection as unknown as Line;
      line.asked++;
      return line.answer.promise;
    },
    every(everyMs, run) {
      look = () => {
        nowMs += everyMs;
        run();
      };
      return () => {};
    },
    now: () => nowMs,
    log: { debug: () => {} },
  });
});

test("a peer that is heard is not asked; one that falls silent is, and given up where no echo comes", async () => {
  const [ann, bob] = [new Line("ann"), new Line("bob")];
  lines = [ann, bob];
  for (const peer of ["ann", "bob"]) silence.heard(peer as PeerId);
  look();
  expect([ann.asked, bob.asked]).toEqual([0, 0]);
  silence.heard("ann" as PeerId);
  look();
  expect([ann.asked, bob.asked]).toEqual([0, 1]);
  silence.heard("ann" as PeerId);
  look();
  expect(bob.asked).toBe(1);
  bob.answer.resolve(false);
  await settled();
  expect([ann.status, bob.status]).toEqual(["open", "aborted"]);
});

test("one that is silent and answers stays, and is asked again", async () => {
  const ann = new Line("ann");
  lines = [ann];
  look();
  look();
  ann.answer.resolve(true);
  await settled();
  expect(ann.status).toBe("open");
  const { asked } = ann;
  look();
  expect(ann.asked).toBe(asked + 1);
});

test("of several connections to one peer each is asked, for it is heard over one alone", async () => {
  const [old, fresh] = [new Line("ann"), new Line("ann")];
  lines = [old, fresh];
  silence.heard("ann" as PeerId);
  look();
  expect([old.asked, fresh.asked]).toEqual([1, 1]);
  old.answer.resolve(false);
  fresh.answer.resolve(true);
  await settled();
  expect([old.status, fresh.status]).toEqual(["aborted", "open"]);
});
