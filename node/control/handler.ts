/** How one route of the control socket is answered. */
import { z } from "zod";
import type { Control } from "./api.ts";
import type { RouteInputs, RouteName } from "./routes.ts";

export interface Handler<K extends RouteName> {
  /** From the JSON body of a POST, else from the query, where all is text. */
  readonly input: z.ZodType<RouteInputs[K], unknown>;
  run(
    control: Control,
    input: RouteInputs[K],
    request: { readonly bytes: AsyncIterable<Uint8Array>; readonly signal: AbortSignal },
  ): ReturnType<Control[K]>;
}

export const nothing = z.strictObject({});
