/** Says of released files how they were made, from the facts of their builds, signed by this node: a mirror puts that beside them. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import type { ReleaseItem } from "../../protocol/release/manifest.ts";
import { statementText } from "../../protocol/release/provenance.ts";
import { Recall, type RecallOptions } from "../recall.ts";
import type { Envelope } from "./attestation.ts";
import { releasedFacts } from "./provenance-queries.ts";

export interface AttesterOptions extends RecallOptions {
  readonly sign: (text: string) => Envelope;
}

/** One line of a file of statements; undefined where the facts of the build cannot be had here, or bring the file no more. */
export type Attester = (
  item: ReleaseItem,
  at: { readonly channel: string; readonly epoch: number },
  servedAs: readonly { readonly path: string; readonly digest: Digest }[],
) => Promise<string | undefined>;

export function attesterOf({ sign, ...options }: AttesterOptions): Attester {
  const { desk } = options;
  const recall = new Recall(options);
  return async (item, release, servedAs) => {
    try {
      const facts = releasedFacts(desk, await recall.find(item.build), item, {
        release,
        servedAs,
      });
      return facts && `${JSON.stringify(sign(statementText(facts)))}\n`;
    } catch (error) {
      // An epoch does not wait for what nobody remembers.
      if (error instanceof SwarmError) return undefined;
      throw error;
    }
  };
}
