/** A build whose end its node has heard before what was made: that is waited for. */
import type { BuildView } from "../node/control/api.ts";
import type { BuildId } from "../protocol/kernel/ids.ts";
import type { Context } from "./command.ts";
import { countText } from "./units.ts";

/** A build as its node knows it, once that has heard what it made, or has waited for it long enough: then it says what it still awaits. */
export async function heard({ control, output, json }: Context, build: BuildId): Promise<BuildView> {
  const view = await control.build(build);
  if (!view.awaited) return view;
  if (!json) output.live([`waiting to hear what ${countText(view.awaited, "action")} of ${build} made`]);
  try {
    for await (const event of control.watch(build, new AbortController().signal))
      if (event.kind === "end") break;
  } finally {
    output.live([]);
  }
  return control.build(build);
}
