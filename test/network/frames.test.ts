import fc from "fast-check";
import { Uint8ArrayList } from "uint8arraylist";
import { describe, expect, it } from "vitest";
import { FrameSplitter, frame } from "../../node/network/frames.ts";

const flat = (bytes: Uint8Array | Uint8ArrayList) =>
  bytes instanceof Uint8ArrayList ? bytes.subarray() : bytes;

describe("frames", () => {
  it("come out as they went in, however the bytes are cut on the way", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        (payloads, cuts, reuses) => {
          const wire = Buffer.concat(payloads.map((payload) => flat(frame(payload))));
          const heard: Uint8Array[] = [];
          const splitter = new FrameSplitter(40_000, (payload) => heard.push(payload.slice()), reuses);
          for (let at = 0, i = 0; at < wire.length; i++) {
            const end = at + cuts[i % cuts.length]!;
            const piece = wire.subarray(at, end);
            splitter.push(i % 2 === 0 ? piece : new Uint8ArrayList(piece.subarray(0, 1), piece.subarray(1)));
            at = end;
          }
          expect(heard.map((payload) => Buffer.from(payload))).toEqual(payloads.map((p) => Buffer.from(p)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("are made of parts without a trace of them", () => {
    const parts = [Uint8Array.of(1), new Uint8Array(20_000).fill(2), Uint8Array.of(3)];
    expect(Buffer.compare(flat(frame(...parts)), flat(frame(Buffer.concat(parts))))).toBe(0);
  });

  it("over the bound are refused by their header alone", () => {
    const heard: Uint8Array[] = [];
    const splitter = new FrameSplitter(10, (payload) => heard.push(payload));
    splitter.push(flat(frame(new Uint8Array(10))));
    expect(() => splitter.push(Uint8Array.of(0, 0, 0, 11))).toThrow(
      expect.objectContaining({ code: "too-large" }),
    );
    expect(heard.length).toBe(1);
  });
});
