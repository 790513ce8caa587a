/** Answers that were just given, for a moment: many who look at once cost as much as one. */
import { createHash } from "node:crypto";

export interface Answer {
  readonly status: number;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** Nobody sees the difference, and a thousand who ask are answered once. */
const freshMs = 100;
const answersMax = 64;
const bytesMax = 16 << 20;

export class Answers {
  private readonly kept = new Map<
    string,
    { readonly atMs: number; readonly answer: Promise<Answer>; given?: Answer }
  >();
  private bytes = 0;

  /** What was answered to this a moment ago; undefined when it was not, or is not known yet. */
  given(key: string): Answer | undefined {
    const kept = this.kept.get(key);
    return kept?.given && performance.now() - kept.atMs < freshMs ? kept.given : undefined;
  }

  /** What was answered to this a moment ago, else what `make` gives: a status and a value for JSON. */
  of(key: string, make: () => Promise<{ status: number; value: unknown }>): Promise<Answer> {
    const nowMs = performance.now();
    const kept = this.kept.get(key);
    if (kept && nowMs - kept.atMs < freshMs) return kept.answer;
    if (this.kept.size >= answersMax || this.bytes > bytesMax) {
      this.kept.clear();
      this.bytes = 0;
    }
    const answer = make().then(({ status, value }) => {
      const body = new TextEncoder().encode(JSON.stringify(value));
      this.bytes += body.length;
      const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
      return { status, body, etag };
    });
    const entry: { atMs: number; answer: Promise<Answer>; given?: Answer } = { atMs: nowMs, answer };
    this.kept.set(key, entry);
    answer.then(
      (given) => {
        entry.given = given;
      },
      () => this.kept.delete(key),
    );
    return answer;
  }
}
