/** Secrets: an action that names one gets it, and nobody else ever sees it. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Redactor, redactText } from "../../node/build/redactor.ts";
import { openSecrets } from "../../node/build/secrets.ts";
import type { TailChunk } from "../../node/ports.ts";
import type { GraphAction } from "../../protocol/build/graph.ts";
import { platformOf } from "../../protocol/build/reapi.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { parseSpec } from "../../protocol/build/spec.ts";
import type { ExecuteOutcome } from "../../protocol/contract.ts";
import { boxWorks, type Execution, openExecution } from "./execution.ts";

const value = "s3cr3t/token+with=odd~signs";
const secrets = new Map([["npm", Buffer.from(`${value}\n`)]]);

/** All that a redactor tells of a text that comes in pieces of a length. */
function told(text: string | Buffer, pieceBytes: number, of = secrets): string {
  const redactor = new Redactor(of);
  const bytes = Buffer.from(text as string);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes)
    out.push(redactor.push(bytes.subarray(at, at + pieceBytes)));
  return Buffer.concat([...out, redactor.end()]).toString();
}

describe("a redactor", () => {
  it("takes a value out, wherever pieces are cut", () => {
    for (let bytes = 1; bytes < 80; bytes++)
      expect(told(`a ${value} b ${value}${value}`, bytes)).toBe("a [secret npm] b [secret npm][secret npm]");
  });

  it("knows base64 at every offset, hex and URLs", () => {
    for (const before of ["", "x", "xy", "xyz", "user:"]) {
      for (const encoding of ["base64", "base64url"] as const) {
        const said = redactText(Buffer.from(`${before}${value}, and more`).toString(encoding), secrets);
        expect(said).toContain("[secret npm]");
        expect(Buffer.from(said.replace("[secret npm]", ""), "base64").toString()).not.toContain(
          value.slice(0, 8),
        );
      }
    }
    expect(redactText(Buffer.from(value).toString("hex"), secrets)).toBe("[secret npm]");
    expect(redactText(`q=${encodeURIComponent(value)}&x`, secrets)).toBe("q=[secret npm]&x");
  });

  it("knows the lines of a value", () => {
    const key = new Map([["key", Buffer.from("-----BEGIN-----\nabcdefghijk\nx\n-----END-----\n")]]);
    expect(redactText("log: abcdefghijk", key)).toBe("log: [secret key]");
    expect(redactText("-----BEGIN-----\nabcdefghijk\nx\n-----END-----\n", key)).toBe("[secret key]\n");
  });

  it("changes nothing else", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 40 }), (text, bytes) => {
        expect(told(text, bytes)).toBe(Buffer.from(text).toString());
      }),
      { numRuns: 200 },
    );
  });
});

describe("the secrets of a node", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), "swarmd-secrets-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("are files that only their owner may read; all others are named with why", () => {
    const put = (name: string, content: string, mode = 0o600) => {
      writeFileSync(path.join(dir, name), content);
      chmodSync(path.join(dir, name), mode);
    };
    put("good", "12345678");
    put("open", "12345678", 0o640);
    put("short", "1234567");
    put("large", "x".repeat((64 << 10) + 1));
    put("a name", "12345678");
    mkdirSync(path.join(dir, "folder"));
    symlinkSync("good", path.join(dir, "link"));
    const found = openSecrets(dir);
    expect(found.names()).toEqual(["good"]);
    expect(found.value("good")?.toString()).toBe("12345678");
    expect(found.unfit().map(({ name, why }) => `${name} ${why}`)).toEqual([
      "a name has no name that a spec can say",
      "folder is no regular file",
      "large has more than 65536 bytes",
      "link is no regular file",
      "open may be read by others",
      "short has fewer than 8 bytes, too few to keep them out of logs",
    ]);
    for (const name of ["open", "../secrets/good", "none", ""]) expect(found.value(name)).toBeUndefined();
    expect(openSecrets(path.join(dir, "none")).names()).toEqual([]);
  });
});

describe("a spec that names secrets", () => {
  it("says their names, and the key holds these alone", () => {
    const spec = parseSpec(
      "swarmd: 1\nname: x\nactions:\n  a: {run: ls, secrets: [npm, aws, npm]}\n  b: {run: ls}\n",
      "s.yaml",
    );
    const [a, b] = resolveSpec(spec, [], {}).actions as [GraphAction, GraphAction];
    expect([a.secrets, b.secrets]).toEqual([["aws", "npm"], undefined]);
    expect(platformOf({}, undefined, a.secrets)).toEqual({ secrets: "aws,npm" });
    expect(platformOf({}, undefined, b.secrets)).toEqual({});
  });

  it("is refused for names that are none", () => {
    for (const name of ["../x", "a b", "1", "''"])
      expect(() =>
        parseSpec(`swarmd: 1\nname: x\nactions:\n  a: {run: ls, secrets: [${name}]}\n`, "s.yaml"),
      ).toThrow(/s.yaml:4:/);
  });
});

/** Files below a folder that hold a text. */
function holding(dir: string, text: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(dir, entry.name);
    // Not by `recursive`: that goes into the system where links of the boxes' root lead.
    if (entry.isDirectory()) return holding(file, text);
    return file.includes(text) || (entry.isFile() && readFileSync(file).includes(text)) ? [file] : [];
  });
}

for (const kind of ["none", "bubblewrap"] as const)
  describe.skipIf(kind === "bubblewrap" && !boxWorks)(`an action with secrets, sandbox ${kind}`, () => {
    let x: Execution;
    let dir: string;
    beforeEach(async () => {
      dir = mkdtempSync(path.join(tmpdir(), "swarmd-secrets-"));
      writeFileSync(path.join(dir, "npm"), `${value}\n`, { mode: 0o600 });
      writeFileSync(path.join(dir, "other"), "another value", { mode: 0o600 });
      x = await openExecution(kind, { secrets: openSecrets(dir) });
    });
    afterEach(async () => {
      await x.close();
      rmSync(dir, { recursive: true, force: true });
    });
    const reasonOf = (outcome: ExecuteOutcome) => (outcome.kind === "done" ? "" : outcome.reason);
    const npm = { secrets: ["npm"] };

    it("finds what it names in $SECRETS, and nothing else", async () => {
      // The script itself must not say it.
      const asked = `test "$(sha256sum < "$SECRETS"/npm)" = "$(cat sum)" && ls "$SECRETS" > o`;
      const files = await x.inputs({
        sum: `${createHash("sha256").update(`${value}\n`).digest("hex")}  -\n`,
      });
      const outcome = await x.run(asked, { ...npm, files, outputs: [{ path: "o", kind: "file" }] });
      expect(outcome).toMatchObject({ kind: "done" });
      expect(await x.text(outcome.kind === "done" ? outcome.result.outputs[0]!.digest : undefined)).toBe(
        "npm\n",
      );
      const without = await x.run(`test -z "$SECRETS" && ! ls /run/secrets/npm`);
      expect(without.kind).toBe("done");
    });

    it("leaves no trace of the value: not in logs, not in what is shown live, not in the home", async () => {
      const seen: TailChunk[] = [];
      const gone = new AbortController();
      const watching = (async () => {
        for await (const chunk of x.executor.tail({ follow: true }, gone.signal)) seen.push(chunk);
      })();
      const outcome = await x.run(
        `cat "$SECRETS"/npm; head -c 9 "$SECRETS"/npm; sleep 0.3; cut -c10- "$SECRETS"/npm; base64 < "$SECRETS"/npm >&2; mkdir deep; cp "$SECRETS"/npm deep/; exit 3`,
        npm,
      );
      gone.abort();
      await watching;
      expect(outcome).toMatchObject({ kind: "failed", exitCode: 3 });
      const { stdout, stderr } = outcome as { stdout?: never; stderr?: never };
      expect(await x.text(stdout)).toBe("[secret npm]\n[secret npm]\n");
      expect(await x.text(stderr)).toContain("[secret npm]");
      const live = seen.map((chunk) => chunk.text).join("");
      expect(live).not.toContain(value.slice(0, 12));
      expect(live).not.toContain(Buffer.from(value).toString("base64").slice(0, 12));
      await x.executor.stop();
      expect(holding(x.home, value)).toEqual([]);
      expect(holding(x.home, Buffer.from(value).toString("base64").slice(0, 20))).toEqual([]);
    });

    it("fails when an output holds the value, in its content or in a name, and keeps nothing of it", async () => {
      for (const [script, kindOf] of [
        ['cp "$SECRETS"/npm o', "file"],
        ['base64 -w0 < "$SECRETS"/npm > o', "file"],
        ['mkdir -p o/a; (head -c 300000 /dev/zero; cat "$SECRETS"/npm) > o/a/b', "folder"],
        [`mkdir o; > "o/$(tr / _ < "$SECRETS"/npm | base64 -w0)"; cp "$SECRETS"/npm o/c`, "folder"],
      ] as const) {
        const outcome = await x.run(script, { ...npm, outputs: [{ path: "o", kind: kindOf }] });
        expect(reasonOf(outcome), script).toBe(
          "the output o holds the secret npm: results are for everybody in the swarm",
        );
      }
      const named = await x.run(`echo > "$(tr / _ < "$SECRETS"/other)"; ls`, {
        secrets: ["other"],
        outputs: [],
      });
      expect(named).toMatchObject({ kind: "done" });
      await x.executor.stop();
      expect(holding(x.home, value)).toEqual([]);
      expect(holding(x.home, "another value")).toEqual([]);
    });

    it("is this node's failure where the secret is not", async () => {
      const outcome = await x.run("true", { secrets: ["npm", "gone"] });
      expect(outcome).toMatchObject({
        kind: "failed",
        cause: "infrastructure",
        reason: "this node was not given the secret gone",
      });
      expect(statSync(path.join(dir, "npm")).mode & 0o777).toBe(0o600);
    });
  });
