/** Key rings for tests: made in a short folder, since gpg's agent listens in it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Gpg } from "../../node/release/formats/gpg.ts";

export class KeyRing {
  readonly dir = mkdtempSync(path.join(tmpdir(), "sw-gpg-"));
  readonly gpg = new Gpg(this.dir);

  private call(...args: readonly string[]): Buffer {
    return execFileSync("gpg", ["--homedir", this.dir, "--batch", "--quiet", "--no-tty", ...args], {
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    });
  }

  /** Makes a key that signs; its fingerprint. `expired`: it was good for a day, long ago. */
  make(name: string, expired = false): string {
    const clock = expired ? ["--faked-system-time", "20200101T000000"] : [];
    const until = expired ? "1d" : "never";
    const how = ["--pinentry-mode", "loopback", "--passphrase", ""];
    this.call(
      ...clock,
      ...how,
      "--quick-generate-key",
      `${name} <${name}@example.org>`,
      "ed25519",
      "sign",
      until,
    );
    const listed = this.call("--with-colons", "--list-keys", `${name}@example.org`).toString();
    return /^fpr:+([0-9A-F]{40,}):/m.exec(listed)![1]!;
  }

  /** Signs as of a moment in the past. */
  signLongAgo(text: string, key: string): Buffer {
    const file = path.join(this.dir, "text");
    writeFileSync(file, text);
    const how = ["--pinentry-mode", "loopback", "--passphrase", "", "--local-user", key, "--output", "-"];
    return this.call("--faked-system-time", "20200101T010000", ...how, "--clearsign", file);
  }

  /** The public key as a file that others import. */
  exported(key: string): string {
    const file = path.join(this.dir, `${key}.asc`);
    writeFileSync(file, this.call("--armor", "--export", key));
    return file;
  }

  take(file: string): void {
    this.call("--import", file);
  }

  async remove(): Promise<void> {
    await this.gpg.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
