/** What the gateway tells as it happens: the events of the timeline, and the messages of this node. */
import type { TimelineLine } from "../control/account.ts";
import type { WireLine } from "../control/data.ts";
import type { Source } from "./stream.ts";
import type { Views } from "./views.ts";

/** Nobody wants every message for ever: without a listener for so long they are no longer followed. */
const messagesRestMs = 60_000;

export const eventsOf = (views: Pick<Views, "timeline">): Source<TimelineLine> => ({
  follow: (signal) => views.timeline({ follow: true, limit: 1 }, signal),
  nameOf: ({ family }) => family,
});

/** `?kind=&peer=`, as `/api/v1/wire` takes them, and refused alike. */
export const messagesOf = (views: Pick<Views, "wire">, restMs = messagesRestMs): Source<WireLine> => ({
  follow: (signal) => views.wire({ follow: true, limit: 1 }, signal),
  nameOf: ({ kind }) => kind,
  restMs,
  parameters: ["kind", "peer"],
  async wanted({ kind, peer }) {
    const given = { ...(kind === undefined ? {} : { kind }), ...(peer === undefined ? {} : { peer }) };
    // What is no kind, no node, or nothing that a recording knows is refused here, before the answer begins.
    await Array.fromAsync(views.wire({ ...given, limit: 1, follow: false }, new AbortController().signal));
    return (line) =>
      (kind === undefined || line.kind === kind) &&
      (peer === undefined || line.node === peer || line.peerId === peer);
  },
});
