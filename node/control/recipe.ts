/** What the daemon answers about what an action is: its command, its environment, what it reads and what it asks of a node. */
import type { ActionName, BuildId, Digest } from "../../protocol/kernel/ids.ts";

/** The part of `Control` that shows actions as they were planned. */
export interface Recipes {
  /** Refuses `not-found`, and `blob-missing` while the build's plan is nowhere. */
  recipe(build: BuildId, action: ActionName): Promise<RecipeView>;
}

export interface RecipeView {
  readonly action: ActionName;
  readonly argv: readonly string[];
  /** Of the action alone. What every action is given besides stands in specs/execution.md. */
  readonly env: Readonly<Record<string, string>>;
  /** Names. The values are on the nodes and nowhere else. */
  readonly secrets: readonly string[];
  /** What it compiles for: what it asks of a node, else what its toolchains make. Absent: nothing says. */
  readonly target?: string;
  readonly requires: {
    readonly cpus: number;
    readonly memoryBytes?: number;
    readonly diskBytes?: number;
    readonly labels: readonly string[];
  };
  /** Name → fingerprint. */
  readonly toolchains: Readonly<Record<string, string>>;
  /** 0: none. */
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly attemptsMax: number;
  readonly cache: boolean;
  /** At most 1,000 of `inputCount`: submitted ones first. */
  readonly inputs: readonly RecipeInput[];
  readonly inputCount: number;
  /** What it is to make, made or not. */
  readonly outputs: readonly { readonly path: string; readonly kind: "file" | "folder" }[];
}

export interface RecipeInput {
  readonly path: string;
  /** The action that makes it; absent: submitted. */
  readonly from?: ActionName;
  /** Absent: not made yet, or one that lies in a folder. */
  readonly digest?: Digest;
}
