/** A cheap, deterministic signer: a hash stands for the signature. It proves nothing to an attacker, everything to a test. */
import { sha256, sha256Hex } from "../protocol/kernel/digest.ts";
import { isHash, isPeerId, type PeerId, peerIdOf } from "../protocol/kernel/ids.ts";
import type { Signer } from "../protocol/ports.ts";

const utf8 = new TextEncoder();

/** The peer id of a made-up key: one name gives one id in every world. */
export const fakePeer = (name: string): PeerId => peerIdOf(sha256(utf8.encode(`key of ${name}`)));

/** 64 bytes, as long as an Ed25519 signature. What a host signs goes through its own port alone, so nobody can forge. */
const signatureOf = (author: PeerId, id: string): Uint8Array =>
  utf8.encode(sha256Hex(`signature of ${author} on ${id}`));

export function fakeSigner(self: PeerId): Signer {
  return {
    self,
    sign: (id) => signatureOf(self, id),
    verify(author, id, signature) {
      if (!isHash(id) || !isPeerId(author) || signature?.length !== 64) return false;
      const expected = signatureOf(author, id);
      return expected.every((byte, i) => byte === signature[i]);
    },
  };
}
