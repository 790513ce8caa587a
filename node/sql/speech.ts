/** What the daemon and the process that keeps the projection say to each other: one request, one answer, in turn. */
import type { BuildId, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { ActionState } from "../../protocol/work/actions.ts";
import type { SqlAnswer, SqlTable, SqlValue } from "../control/data.ts";

/** Of one chain the places that were read in: from, to, from, to …, both ends among them. */
export interface Chain {
  readonly author: PeerId;
  readonly inc: Incarnation;
  readonly runs: readonly number[];
}

/** An entry as it is stored, and for each of its events whether its author may say so. */
export interface Fed {
  readonly bytes: Uint8Array;
  readonly counts: readonly boolean[];
}

/** What is so now, beside what was said. */
export interface Present {
  readonly names: readonly (readonly [PeerId, string])[];
  /** Rows of `nodes`, `vitals` and `releases`, in the order of their columns. */
  readonly nodes: readonly (readonly SqlValue[])[];
  readonly vitals: readonly (readonly SqlValue[])[];
  readonly releases: readonly (readonly SqlValue[])[];
  /** Builds in memory whose state is another than the last time. */
  readonly builds: readonly {
    readonly build: BuildId;
    readonly state: string;
    readonly wallMs: number | null;
    readonly actions: Readonly<Partial<Record<ActionState, readonly string[]>>>;
  }[];
}

export type Request =
  /** What was read in; everything is thrown away where it is of another swarm or format, or broke off. */
  | { readonly kind: "open"; readonly swarm: string; readonly names: Present["names"] }
  /** Everything is thrown away: who may say what is judged anew. */
  | { readonly kind: "anew" }
  | { readonly kind: "read"; readonly entries: readonly Fed[]; readonly nowMs: number }
  /** These places were looked up: what is not there will not come. */
  | { readonly kind: "passed"; readonly chains: readonly Chain[] }
  /** The graph of a build that `lacking` named; null: it is not to be had here. */
  | { readonly kind: "graph"; readonly build: BuildId; readonly bytes: Uint8Array | null }
  | { readonly kind: "now"; readonly present: Present }
  | { readonly kind: "query"; readonly sql: string }
  /** One of our own questions, with its values. */
  | { readonly kind: "ask"; readonly sql: string; readonly values: readonly SqlValue[] }
  | { readonly kind: "tables" };

export type Reply =
  | { readonly ok: false; readonly code: string; readonly message: string; readonly remedy?: string }
  | {
      readonly ok: true;
      readonly chains?: readonly Chain[];
      /** Somebody said something of members: what was judged before may be judged otherwise. */
      readonly stale?: boolean;
      /** Builds whose graph was not given yet, with its digest. */
      readonly lacking?: readonly (readonly [BuildId, string])[];
      readonly answer?: SqlAnswer;
      readonly tables?: readonly SqlTable[];
    };
