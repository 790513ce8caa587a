/** What every Signer keeps: run on Ed25519 and on the simulator's cheap one. */
import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { isPeerId, type PeerId } from "../../protocol/kernel/ids.ts";
import type { Signer } from "../../protocol/ports.ts";

/** `make` gives two signers with different keys that know of each other if they have to. */
export function signerContract(name: string, make: () => readonly [Signer, Signer]): void {
  describe(`signer: ${name}`, () => {
    const [ann, bob] = make();
    const id = sha256Hex("an entry");

    test("a signer is named by a peer id, its own", () => {
      expect(isPeerId(ann.self)).toBe(true);
      expect(ann.self).not.toBe(bob.self);
    });

    test("a signature has 64 bytes and holds for everybody", () => {
      const signature = ann.sign(id);
      expect(signature).toHaveLength(64);
      expect(ann.verify(ann.self, id, signature)).toBe(true);
      expect(bob.verify(ann.self, id, signature)).toBe(true);
    });

    test("signing is deterministic, so that a replay signs the same", () => {
      expect([...ann.sign(id)]).toEqual([...ann.sign(id)]);
    });

    test("a signature does not hold for another author or another id", () => {
      const signature = ann.sign(id);
      expect(ann.verify(bob.self, id, signature)).toBe(false);
      expect(ann.verify(ann.self, sha256Hex("another entry"), signature)).toBe(false);
    });

    test("a signature with any one bit turned does not hold", () => {
      for (let at = 0; at < 512; at += 7) {
        const signature = ann.sign(id);
        signature[at >> 3]! ^= 1 << (at & 7);
        expect(bob.verify(ann.self, id, signature)).toBe(false);
      }
    });

    test("whatever is odd does not hold, and nothing is thrown", () => {
      const signature = ann.sign(id);
      const odd: [string, string, unknown][] = [
        ["", id, signature],
        ["nobody", id, signature],
        [`12D3KooW${"1".repeat(44)}`, id, signature],
        [ann.self, "", signature],
        [ann.self, id.toUpperCase(), signature],
        [ann.self, `${id}00`, signature],
        [ann.self, "z".repeat(64), signature],
        [ann.self, id, new Uint8Array()],
        [ann.self, id, signature.subarray(1)],
        [ann.self, id, new Uint8Array([...signature, 0])],
        [ann.self, id, new Uint8Array(64)],
        [ann.self, id, undefined],
      ];
      for (const [author, said, sig] of odd)
        expect(bob.verify(author as PeerId, said, sig as Uint8Array)).toBe(false);
    });
  });
}
