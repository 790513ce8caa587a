/** A figure of the table: what was measured, and what it should be. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly goal: string;
  readonly met: boolean;
  readonly beside?: string;
}

export const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;
