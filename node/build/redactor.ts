/** Finds the values of secrets in what an action leaves, also split over pieces, in base64, in hex or as in a URL; and takes them out. */

/** Lines of a value that are looked for by themselves have at least so many bytes. */
const partBytesMin = 8;

interface Needle {
  readonly bytes: Buffer;
  readonly name: string;
}

/** One stream's worth of looking; values by the names of their secrets. */
export class Redactor {
  private readonly needles: readonly Needle[];
  /** A value may begin in so many last bytes of what came. */
  private readonly heldMax: number;
  private held: Buffer = Buffer.alloc(0);

  constructor(secrets: ReadonlyMap<string, Buffer>) {
    this.needles = needlesOf(secrets);
    this.heldMax = Math.max(0, ...this.needles.map(({ bytes }) => bytes.length - 1));
  }

  /** What can be told of all that came, less what was told before. */
  push(piece: Uint8Array): Buffer {
    const all = Buffer.concat([this.held, piece]);
    const { told, from } = this.redacted(all, Math.max(0, all.length - this.heldMax));
    this.held = all.subarray(from);
    return told;
  }

  /** The rest. */
  end(): Buffer {
    const all = this.held;
    this.held = Buffer.alloc(0);
    return this.redacted(all, all.length).told;
  }

  /** The name of a secret whose value has come by now; what comes is counted on, not told. */
  find(piece: Uint8Array): string | undefined {
    const all = Buffer.concat([this.held, piece]);
    this.held = all.subarray(Math.max(0, all.length - this.heldMax));
    return this.needles.find(({ bytes }) => all.includes(bytes))?.name;
  }

  /** Replaces what begins before `until`; `from`: what was not looked at yet. */
  private redacted(all: Buffer, until: number): { told: Buffer; from: number } {
    const pieces: Buffer[] = [];
    let at = 0;
    // Where each needle stands next; a needle that is not there is not looked for again.
    const next = this.needles.map(({ bytes }) => all.indexOf(bytes));
    for (;;) {
      let best = -1;
      for (let i = 0; i < next.length; i++) {
        while (next[i]! >= 0 && next[i]! < at) next[i] = all.indexOf(this.needles[i]!.bytes, at);
        if (next[i]! >= 0 && (best < 0 || next[i]! < next[best]!)) best = i;
      }
      if (best < 0 || next[best]! >= until) break;
      const { bytes, name } = this.needles[best]!;
      pieces.push(all.subarray(at, next[best]!), Buffer.from(`[secret ${name}]`));
      at = next[best]! + bytes.length;
    }
    const from = Math.max(at, until);
    pieces.push(all.subarray(at, from));
    return { told: Buffer.concat(pieces), from };
  }
}

/** A text without the values. */
export function redactText(text: string, secrets: ReadonlyMap<string, Buffer>): string {
  const redactor = new Redactor(secrets);
  return Buffer.concat([redactor.push(Buffer.from(text)), redactor.end()]).toString();
}

/** All that would give a value away, the longest first: a shorter one never hides a longer one that begins where it does. */
function needlesOf(secrets: ReadonlyMap<string, Buffer>): Needle[] {
  const found = new Map<string, Needle>();
  for (const [name, value] of secrets) {
    const trimmed = Buffer.from(value.toString("latin1").replace(/[\r\n]+$/, ""), "latin1");
    const lines = trimmed
      .toString("latin1")
      .split(/\r?\n/)
      .map((line) => Buffer.from(line, "latin1"))
      .filter((line) => line.length >= partBytesMin);
    for (const bytes of [trimmed, ...lines])
      for (const form of formsOf(bytes)) {
        const key = form.toString("latin1");
        if (form.length > 0 && !found.has(key)) found.set(key, { bytes: form, name });
      }
  }
  return [...found.values()].sort((a, b) => b.bytes.length - a.bytes.length);
}

function formsOf(bytes: Buffer): Buffer[] {
  const hex = bytes.toString("hex");
  const texts = [hex, hex.toUpperCase(), encodeURIComponent(bytes.toString())];
  // In base64 a value looks different at each of three offsets; the letters at its edges also hold its neighbours' bits.
  for (const offset of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const whole = padded.toString("base64").replace(/=+$/, "");
    const inner = whole.slice(Math.ceil((offset * 8) / 6), Math.floor((padded.length * 8) / 6));
    texts.push(inner, inner.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return [bytes, ...texts.map((text) => Buffer.from(text))];
}
