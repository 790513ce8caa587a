/** What happens in the swarm, as it happens: one stream of the gateway for the whole page, taken up again where it broke. */
import { useEffect, useState } from "preact/hooks";
import type { TimelineLine } from "../../control/account.ts";
import { follow, type Mark } from "./followed.ts";

/** `undefined`: something was missed, read anew. */
type Listener = (line: TimelineLine | undefined) => void;

const listeners = new Set<Listener>();
const onState = new Set<(live: boolean) => void>();
let live = false;
let running: AbortController | undefined;
const mark: Mark = {};

/** Until the returned function is called. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  if (!running) begin();
  return () => listeners.delete(listener);
}

/** After a token was given, at once. */
export function relisten(): void {
  running?.abort();
  begin();
}

/** Whether events come. */
export function useLive(): boolean {
  const [state, setState] = useState(live);
  useEffect(() => {
    onState.add(setState);
    setState(live);
    return () => {
      onState.delete(setState);
    };
  }, []);
  return state;
}

function say(line: TimelineLine | undefined): void {
  for (const listener of [...listeners]) listener(line);
}

function setLive(now: boolean): void {
  if (live === now) return;
  live = now;
  for (const hear of onState) hear(now);
}

function begin(): void {
  running = new AbortController();
  void follow<TimelineLine>("/api/v1/stream", mark, { hear: say, onLive: setLive }, running.signal);
}
