import { createPublicKey, verify } from "node:crypto";
import { describe, expect, test } from "vitest";
import { openEnvelope, signStatement } from "../../node/release/attestation.ts";
import { createSigner } from "../../node/signer.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName, BuildId, SwarmId } from "../../protocol/kernel/ids.ts";
import { type ProvenanceFacts, preAuthentication, statementText } from "../../protocol/release/provenance.ts";

const seed = new Uint8Array(32).fill(3);
const { self } = createSigner(seed);
const other = createSigner(new Uint8Array(32).fill(4)).self;
const digest = digestOf(Buffer.from("artifact"));
const facts: ProvenanceFacts = {
  swarm: "ab".repeat(32) as SwarmId,
  artifact: { path: "bin/hello", digest },
  build: "hello-0123456789" as BuildId,
  spec: { name: "hello", graph: digestOf(Buffer.from("graph")), submittedBy: other, atMs: 1_764_000_000_000 },
  action: {
    name: "link" as ActionName,
    key: digestOf(Buffer.from("key")),
    argv: ["gcc", "-o", "bin/hello"],
    env: { B: "2", A: "1" },
    toolchains: { gcc: "gcc-12" },
    target: "x86_64-linux-gnu",
  },
  inputs: [
    { path: "src/b.c", digest: digestOf(Buffer.from("b")) },
    { path: "obj/a.o", digest: digestOf(Buffer.from("a")), action: "compile/a" as ActionName },
  ],
  builders: [self, other],
  byproducts: [{ name: "stdout", digest: digestOf(Buffer.from("log")) }],
  version: "0.1.0",
};

describe("a statement of provenance", () => {
  test("is an in-toto Statement v1 of SLSA provenance v1, the same for the same facts in any order", () => {
    const text = statementText(facts);
    expect(JSON.parse(text)).toMatchObject({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "bin/hello", digest: { sha256: digest.slice(0, 64) } }],
      predicateType: "https://slsa.dev/provenance/v1",
      predicate: {
        buildDefinition: {
          externalParameters: { spec: "hello", action: "link", command: facts.action.argv },
          resolvedDependencies: [
            { name: "obj/a.o", annotations: { action: "compile/a" } },
            { name: "src/b.c" },
          ],
        },
        runDetails: { metadata: { invocationId: "hello-0123456789/link" } },
      },
    });
    const turned = {
      ...facts,
      inputs: [...facts.inputs].reverse(),
      builders: [other, self],
      action: { ...facts.action, env: { A: "1", B: "2" } },
    };
    expect(statementText(turned)).toBe(text);
  });

  test("is signed as DSSE has it, so that others can check it with the key alone", () => {
    expect(Buffer.from(preAuthentication(Buffer.from("hello world"))).toString()).toBe(
      "DSSEv1 28 application/vnd.in-toto+json 11 hello world",
    );
    const { payload, signatures } = signStatement(statementText(facts), self, seed);
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicX() }, format: "jwk" });
    const signed = preAuthentication(Buffer.from(payload, "base64"));
    expect(verify(null, signed, key, Buffer.from(signatures[0]!.sig, "base64"))).toBe(true);
  });

  /** The key in a peer id: its last 32 bytes. */
  function publicX(): string {
    const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let value = 0n;
    for (const char of self) value = value * 58n + BigInt(alphabet.indexOf(char));
    return Buffer.from(value.toString(16).padStart(76, "0").slice(-64), "hex").toString("base64url");
  }

  test("is opened with who signed it, and refused when anything of it was changed", () => {
    const envelope = signStatement(statementText(facts), self, seed);
    const { signers, statement } = openEnvelope(JSON.stringify(envelope));
    expect(signers).toEqual([self]);
    expect(statement).toEqual(JSON.parse(statementText(facts)));
    const [signature] = envelope.signatures;
    const changed = Buffer.from(statementText(facts).replace("bin/hello", "bin/hullo")).toString("base64");
    const refused: readonly (readonly [code: string, text: string])[] = [
      ["unauthentic", JSON.stringify({ ...envelope, payload: changed })],
      ["unauthentic", JSON.stringify({ ...envelope, signatures: [{ ...signature, keyid: other }] })],
      [
        "unauthentic",
        JSON.stringify({ ...envelope, signatures: [signature, { ...signature, keyid: other }] }),
      ],
      ["malformed", JSON.stringify({ ...envelope, signatures: [] })],
      ["malformed", JSON.stringify({ ...envelope, signatures: [{ keyid: "ann", sig: "x" }] })],
      ["malformed", JSON.stringify({ ...envelope, payloadType: "text/plain" })],
      ["malformed", "null"],
      ["malformed", "noise"],
    ];
    for (const [code, text] of refused) {
      let error: unknown;
      try {
        openEnvelope(text);
      } catch (cause) {
        error = cause;
      }
      expect(error, text).toBeInstanceOf(SwarmError);
      expect((error as SwarmError).code, text).toBe(code);
    }
  });
});
