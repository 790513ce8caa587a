/** Server-sent events of the gateway: heard as they come, and taken up again where they broke. */
import { ask } from "./source.ts";

const retryMs = 2000;

export interface Hearing<T> {
  /** `undefined`: something was missed, read anew. */
  hear(one: T | undefined): void;
  /** Whether events come. */
  onLive(live: boolean): void;
}

/** The last event that was heard, and by which it is taken up again. */
export interface Mark {
  lastId?: string;
}

/** Ends once it is aborted; what cannot be opened is tried again. */
export async function follow<T>(
  path: string,
  mark: Mark,
  hearing: Hearing<T>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await once(path, mark, hearing, signal);
    } catch {
      // it is tried again, and meanwhile who shows it reads at a pace of its own
    }
    if (signal.aborted) return;
    hearing.onLive(false);
    await new Promise((resolve) => window.setTimeout(resolve, retryMs));
  }
}

async function once<T>(path: string, mark: Mark, hearing: Hearing<T>, signal: AbortSignal): Promise<void> {
  const { lastId } = mark;
  const answer = await ask(path, signal, lastId === undefined ? {} : { "last-event-id": lastId });
  hearing.onLive(true);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done || signal.aborted) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      take(text.slice(0, end), mark, hearing);
      text = text.slice(end + 2);
    }
  }
}

function take<T>(block: string, mark: Mark, { hear }: Hearing<T>): void {
  let event = "";
  let data = "";
  for (const line of block.split("\n"))
    if (line.startsWith("id: ")) mark.lastId = line.slice(4);
    else if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  if (event === "resync") hear(undefined);
  else if (data !== "") hear(JSON.parse(data) as T);
}
