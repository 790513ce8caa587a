/** OpenPGP by the program gpg, with a key ring of its own: signs indices and packages, judges signatures. Keys of the user are never looked at. */
import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SwarmError } from "../../../protocol/kernel/errors.ts";
import { findProgram } from "../../build/programs.ts";
import { started } from "../../started.ts";

const outputBytesMax = 64 << 20;
const timeoutMs = 60_000;

/** What gpg says of one signature. */
export interface Verdict {
  readonly state: "good" | "bad" | "expired" | "revoked" | "foreign";
  /** The fingerprint of the primary key, 40 hex digits or more; undefined for a key that is not in the ring. */
  readonly fingerprint?: string;
}

export interface SigningKey {
  /** Fingerprint of the primary key. */
  readonly key: string;
  /** Seconds of the epoch: no signature of it is older. */
  readonly madeS: number;
  /** Neither expired nor revoked. */
  readonly usable: boolean;
}

/** A clock that stands still, so that one key makes the same signature of the same bytes wherever it is. */
const dated = (atS: number | undefined): string[] =>
  atS === undefined ? [] : ["--faked-system-time", `${atS}!`];

export class Gpg {
  /** The folder of the key ring (GNUPGHOME), mode 0700; its path must be short enough for a socket (about 90 characters). */
  readonly home: string;
  private readonly program: string;

  /** Throws `tool-missing` where gpg is not installed. */
  constructor(home: string) {
    const program = findProgram("gpg");
    if (program === undefined)
      throw new SwarmError("tool-missing", "the program gpg is not there", { remedy: "install gnupg" });
    this.program = program;
    this.home = home;
  }

  /** The text with its signature around it, dated `atS` where it is given. Throws `refused` when the key cannot sign. */
  async clearsigned(text: Uint8Array, key: string, atS?: number): Promise<Buffer> {
    return this.signed([...dated(atS), "--clearsign"], text, key);
  }

  /** The signature beside it, armoured or as bytes. Throws `refused`. */
  async detached(
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    key: string,
    armour: boolean,
    atS?: number,
  ): Promise<Buffer> {
    return this.signed([...dated(atS), ...(armour ? ["--armor"] : []), "--detach-sign"], bytes, key);
  }

  /** What its signature is worth; the first, when it has several. */
  async judge(clearsigned: Uint8Array): Promise<Verdict> {
    const { status } = await this.run(["--decrypt"], clearsigned);
    return verdictOf(status);
  }

  /** The keys that it has the secret of, those that can sign first. */
  async signingKeys(): Promise<SigningKey[]> {
    const { out } = await this.run(["--with-colons", "--list-secret-keys"], new Uint8Array());
    const keys: SigningKey[] = [];
    let primary: Omit<SigningKey, "key"> | undefined;
    for (const line of out.toString("utf8").split("\n")) {
      const [what, state, , , , made, , , , name] = line.split(":");
      if (what === "sec") primary = { madeS: Number(made), usable: !"eri".includes(state || "-") };
      else if (what === "fpr" && primary) {
        keys.push({ key: name!, ...primary });
        primary = undefined;
      }
    }
    return keys.sort((a, b) => Number(b.usable) - Number(a.usable));
  }

  /** Ends the agent that gpg left running for this key ring. */
  async close(): Promise<void> {
    const program = findProgram("gpgconf");
    if (program === undefined) return;
    await new Promise<void>((resolve) => {
      const child = spawn(program, ["--homedir", this.home, "--kill", "gpg-agent"], {
        stdio: "ignore",
        env: {},
        timeout: timeoutMs,
      });
      child.on("error", () => resolve()).on("close", () => resolve());
    });
  }

  private async signed(
    how: readonly string[],
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    key: string,
  ): Promise<Buffer> {
    const args = ["--digest-algo", "SHA512", "--pinentry-mode", "loopback", "--passphrase", ""];
    const { code, out, said, status } = await this.run([...args, "--local-user", `${key}!`, ...how], bytes);
    if (code !== 0 || !status.some((line) => line.startsWith("SIG_CREATED "))) {
      const why = status.some((line) => line.startsWith("KEYEXPIRED ")) ? "it has expired" : said;
      throw new SwarmError("refused", `gpg cannot sign with the key ${key}: ${why}`, {
        remedy: `look at it: gpg --homedir ${this.home} --list-secret-keys`,
      });
    }
    return out;
  }

  private run(args: readonly string[], input: Uint8Array | AsyncIterable<Uint8Array>) {
    const child = started(
      this.program,
      ["--homedir", this.home, "--batch", "--no-tty", "--no-options", "--status-fd", "3", ...args],
      {
        stdio: ["pipe", "pipe", "pipe", "pipe"],
        env: { LC_ALL: "C", PATH: "/usr/bin:/bin" },
        cwd: "/",
        timeout: timeoutMs,
      },
    );
    const chunks: Buffer[] = [];
    let bytes = 0;
    let said = "";
    let status = "";
    child.stdout!.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > outputBytesMax) child.kill("SIGKILL");
      else chunks.push(chunk);
    });
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(0, 2000);
    });
    (child.stdio[3] as NodeJS.ReadableStream).setEncoding("utf8").on("data", (text: string) => {
      status = (status + text).slice(0, 1 << 16);
    });
    const source = input instanceof Uint8Array ? Readable.from([input]) : Readable.from(input);
    const fed = pipeline(source, child.stdin!).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "EPIPE" && cause.code !== "ERR_STREAM_PREMATURE_CLOSE") throw cause;
    });
    type Ended = { code: number | null; out: Buffer; said: string; status: string[] };
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) =>
        resolve({
          code,
          out: Buffer.concat(chunks),
          said: said.trim().split("\n").at(-1) ?? "",
          status: status
            .split("\n")
            .filter((line) => line.startsWith("[GNUPG:] "))
            .map((line) => line.slice(9)),
        }),
      );
    });
    return Promise.all([ended, fed]).then(([one]) => one);
  }
}

/** The meaning of status lines (GnuPG's doc/DETAILS). Only a good signature of a valid key is good. */
function verdictOf(status: readonly string[]): Verdict {
  const words = new Map(status.map((line) => [line.split(" ", 1)[0]!, line.split(" ")]));
  const fingerprint = words.get("VALIDSIG")?.at(-1);
  const whose = fingerprint === undefined ? {} : { fingerprint };
  if (words.has("BADSIG")) return { state: "bad" };
  if (words.has("REVKEYSIG")) return { state: "revoked", ...whose };
  if (words.has("EXPKEYSIG") || words.has("EXPSIG")) return { state: "expired", ...whose };
  if (words.has("GOODSIG") && fingerprint !== undefined) return { state: "good", fingerprint };
  return words.has("ERRSIG") || words.has("NO_PUBKEY") ? { state: "foreign" } : { state: "bad" };
}

/** Judges the signed Manifest of a package: it must be good, and by one of these keys if any are named. Throws `unauthentic`. */
export async function checkSignature(
  gpg: Gpg,
  signedManifest: string,
  keys: readonly string[],
): Promise<void> {
  const { state, fingerprint } = await gpg.judge(Buffer.from(signedManifest));
  const wrong = {
    good:
      fingerprint && (keys.length === 0 || keys.includes(fingerprint))
        ? undefined
        : "by a key that is not trusted here",
    bad: "not good",
    expired: `by a key that has expired (${fingerprint ?? "unknown"})`,
    revoked: `by a key that was revoked (${fingerprint ?? "unknown"})`,
    foreign: "by a key that is not in the key ring",
  }[state];
  if (wrong !== undefined)
    throw new SwarmError("unauthentic", `its signature is ${wrong}`, {
      remedy: `sign it again, or import the key: gpg --homedir ${gpg.home} --import FILE`,
    });
}
