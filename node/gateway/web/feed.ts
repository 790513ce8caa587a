/** What happens in the swarm, as it happens: one stream of the gateway for the whole page, taken up again where it broke. */
import { useEffect, useState } from "preact/hooks";
import type { TimelineLine } from "../../control/account.ts";
import { ask } from "./source.ts";

/** `undefined`: something was missed, read anew. */
type Listener = (line: TimelineLine | undefined) => void;

const listeners = new Set<Listener>();
const onState = new Set<(live: boolean) => void>();
const retryMs = 2000;
let live = false;
let running: AbortController | undefined;
let lastId: string | undefined;

/** Until the returned function is called. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  if (!running) void follow();
  return () => listeners.delete(listener);
}

/** After a token was given, at once. */
export function relisten(): void {
  running?.abort();
  void follow();
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

async function follow(): Promise<void> {
  const over = new AbortController();
  running = over;
  while (!over.signal.aborted) {
    try {
      await once(over.signal);
    } catch {
      // it is tried again, and meanwhile all views read at their own pace
    }
    if (over.signal.aborted) return;
    setLive(false);
    await new Promise((resolve) => window.setTimeout(resolve, retryMs));
  }
}

async function once(signal: AbortSignal): Promise<void> {
  const answer = await ask("/api/v1/stream", signal, lastId === undefined ? {} : { "last-event-id": lastId });
  setLive(true);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      take(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

function take(block: string): void {
  let event = "";
  let data = "";
  for (const line of block.split("\n"))
    if (line.startsWith("id: ")) lastId = line.slice(4);
    else if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  if (event === "resync") say(undefined);
  else if (data !== "") say(JSON.parse(data) as TimelineLine);
}
