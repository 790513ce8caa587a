/** A read of the gateway: a path, its input, and what answers it. */
import { z } from "zod";
import type { Views } from "./views.ts";

export interface Read {
  /** Below /api/v1, as hono writes it: `/builds/:build`. */
  readonly path: string;
  /** For people: what it is. */
  readonly summary: string;
  /** Of the path and of the query, where all is text. */
  readonly input: z.ZodObject;
  /** May set the status of the answer, which is 200 else. */
  run(views: Views, input: never): Promise<unknown>;
}

/** An answer that is not 200. */
export class Status {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

export function read<S extends z.ZodRawShape>(
  path: string,
  summary: string,
  shape: S,
  run: (views: Views, input: z.infer<z.ZodObject<S>>) => Promise<unknown>,
): Read {
  return { path, summary, input: z.object(shape), run };
}
