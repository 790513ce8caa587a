/** How often one peer's requests are answered: far above what honest members ask, far below what would hold anybody up. */
import type { Instant } from "../contract.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { Message } from "./message.ts";

interface Rate {
  /** So many at once, after a silence. */
  readonly burst: number;
  readonly perSecond: number;
}

/** What makes the one who is asked look through what it has. Answers come to whoever asked, and are bounded by that. */
const rates: { readonly [K in Message["kind"]]?: Rate } = {
  sync: { burst: 64, perSecond: 10 },
  want: { burst: 1024, perSecond: 64 },
  lack: { burst: 16, perSecond: 2 },
  ask: { burst: 1024, perSecond: 256 },
  hold: { burst: 1024, perSecond: 64 },
  seek: { burst: 256, perSecond: 64 },
  survey: { burst: 32, perSecond: 2 },
};
/** Peers of which anything is remembered. */
const peersMax = 4096;

interface Left {
  requests: number;
  atMonoMs: number;
}

export class Pace {
  private readonly left = new Map<PeerId, Map<string, Left>>();

  /** Whether a message is looked at now. What is over is left out as if it had been lost: whoever means it asks again. */
  admits(from: PeerId, kind: Message["kind"], { monoMs }: Instant): boolean {
    const rate = rates[kind];
    if (!rate) return true;
    const left = this.leftOf(from, kind, rate, monoMs);
    const earned = (Math.max(0, monoMs - left.atMonoMs) / 1000) * rate.perSecond;
    left.requests = Math.min(rate.burst, left.requests + earned);
    left.atMonoMs = monoMs;
    if (left.requests < 1) return false;
    left.requests--;
    return true;
  }

  private leftOf(from: PeerId, kind: string, { burst }: Rate, monoMs: number): Left {
    let kinds = this.left.get(from);
    if (!kinds) {
      // Who comes first is forgotten first, and may begin again.
      const [oldest] = this.left.size >= peersMax ? this.left.keys() : [];
      if (oldest !== undefined) this.left.delete(oldest);
      kinds = new Map();
      this.left.set(from, kinds);
    }
    const left = kinds.get(kind) ?? { requests: burst, atMonoMs: monoMs };
    kinds.set(kind, left);
    return left;
  }
}
