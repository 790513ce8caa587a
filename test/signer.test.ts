import { createPublicKey } from "node:crypto";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { expect, test } from "vitest";
import { createSigner, newSeed, privateKeyOf, seedOf } from "../node/signer.ts";
import { sha256Hex } from "../protocol/kernel/digest.ts";
import { signerContract } from "./contract/signer.ts";

signerContract("Ed25519", () => [createSigner(newSeed()), createSigner(newSeed())]);

test("the key of RFC 8032's first test vector is read and written", () => {
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
  const key = privateKeyOf(seed);
  expect(createPublicKey(key).export({ format: "jwk" }).x).toBe(
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  );
  expect([...seedOf(key)!]).toEqual([...seed]);
});

test("a node and its libp2p host have one name and one key", async () => {
  const seed = newSeed();
  const signer = createSigner(seed);
  const pair = await generateKeyPairFromSeed("Ed25519", seed);
  expect(peerIdFromPrivateKey(pair).toString()).toBe(signer.self);
  const id = sha256Hex("said by libp2p");
  const signature = await pair.sign(Buffer.from(id, "hex"));
  expect(signer.verify(signer.self, id, new Uint8Array(signature))).toBe(true);
});

test("a seed of another length is no key", () => {
  expect(() => createSigner(new Uint8Array(31))).toThrow(RangeError);
});
