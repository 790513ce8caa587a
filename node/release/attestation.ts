/** Statements of where artifacts come from, signed by this node: a DSSE envelope that tools of others check with the node's public key. */
import { createPublicKey, sign, verify } from "node:crypto";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { isPeerId, type PeerId, publicKeyOf } from "../../protocol/kernel/ids.ts";
import { payloadType, preAuthentication } from "../../protocol/release/provenance.ts";
import { privateKeyOf } from "../signer.ts";

/** As it is written to files (`*.intoto.jsonl` has one in each line). */
export interface Envelope {
  readonly payloadType: string;
  /** base64 of the statement. */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

const envelopeBytesMax = 16 << 20;
/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410), but for the 32 bytes of the key. */
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** Signs a statement with the key of `seed` (32 bytes), which `self` is the name of. */
export function signStatement(text: string, self: PeerId, seed: Uint8Array): Envelope {
  const payload = Buffer.from(text, "utf8");
  const sig = sign(null, preAuthentication(payload), privateKeyOf(seed));
  return {
    payloadType,
    payload: payload.toString("base64"),
    signatures: [{ keyid: self, sig: sig.toString("base64") }],
  };
}

/** The statement in an envelope, and who signed it. Throws `malformed`, and `unauthentic` unless all of its signatures hold. */
export function openEnvelope(text: string): {
  readonly statement: unknown;
  readonly signers: readonly PeerId[];
} {
  const malformed = () =>
    new SwarmError("malformed", "this is no signed statement", { remedy: "see swarmd attest --help" });
  if (text.length > envelopeBytesMax) throw malformed();
  try {
    const { payload, signatures, payloadType: type } = JSON.parse(text) as Envelope;
    if (type !== payloadType || typeof payload !== "string" || !Array.isArray(signatures)) throw malformed();
    if (signatures.length === 0 || signatures.length > 16) throw malformed();
    const bytes = Buffer.from(payload, "base64");
    const signers = signatures.map(({ keyid, sig }) => {
      if (typeof keyid !== "string" || !isPeerId(keyid) || typeof sig !== "string") throw malformed();
      const key = createPublicKey({
        key: Buffer.concat([spkiPrefix, publicKeyOf(keyid)!]),
        format: "der",
        type: "spki",
      });
      if (!verify(null, preAuthentication(bytes), key, Buffer.from(sig, "base64")))
        throw new SwarmError("unauthentic", `the signature of ${keyid} does not hold`, {
          remedy: "get the statement again: swarmd attest",
        });
      return keyid;
    });
    return { statement: JSON.parse(bytes.toString("utf8")), signers };
  } catch (cause) {
    if (cause instanceof SwarmError) throw cause;
    throw malformed();
  }
}
