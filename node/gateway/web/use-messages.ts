/** The last messages of this node: read once, then heard as they come; read at a pace where they do not come. */
import { useEffect, useState } from "preact/hooks";
import type { WireLine } from "../../control/data.ts";
import { follow } from "./followed.ts";
import { Refused, read } from "./source.ts";
import type { Reading } from "./use-read.ts";

const linesMax = 100;
const everyMs = 2000;
/** Many come at once: they are drawn together. */
const drawMs = 200;

export interface MessagesAsked {
  /** Empty: all of them. */
  readonly kind: string;
  readonly peer: string;
}

/** At most the last hundred, the oldest first. `isLive` false: as they were when it was set so. */
export function useMessages({ kind, peer }: MessagesAsked, isLive: boolean): Reading<readonly WireLine[]> {
  const asked = String(
    new URLSearchParams(Object.entries({ kind, peer }).filter(([, value]) => value !== "")),
  );
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<{ asked?: string; value?: readonly WireLine[]; refused?: Refused }>({});
  // `turn`: somebody tries again.
  useEffect(() => {
    const over = new AbortController();
    const known = new Map<number, WireLine>();
    /** What was heard while it was read. */
    let meanwhile: WireLine[] | undefined;
    let looks = 0;
    let comes = false;
    let drawing = 0;
    const draw = () => {
      drawing = 0;
      const value = [...known.values()].sort((a, b) => a.number - b.number).slice(-linesMax);
      known.clear();
      for (const line of value) known.set(line.number, line);
      setState({ asked, value });
    };
    const look = async () => {
      const mine = ++looks;
      meanwhile = [];
      try {
        const query = new URLSearchParams(asked);
        query.set("limit", String(linesMax));
        const { items } = await read<{ items: WireLine[] }>(`/wire?${query}`, over.signal);
        if (over.signal.aborted || mine !== looks) return;
        // Numbers of a daemon that was started anew begin anew.
        known.clear();
        for (const line of [...items, ...(meanwhile ?? [])]) known.set(line.number, line);
        meanwhile = undefined;
        draw();
      } catch (fault) {
        if (over.signal.aborted || mine !== looks) return;
        meanwhile = undefined;
        const refused = fault instanceof Refused ? fault : new Refused(0, "malformed", String(fault), "");
        setState((before) => (before.asked === asked ? { ...before, refused } : { asked, refused }));
      }
    };
    void look();
    const hearing = {
      hear(line: WireLine | undefined) {
        if (line === undefined) return void look();
        known.set(line.number, line);
        meanwhile?.push(line);
        drawing ||= window.setTimeout(draw, drawMs);
      },
      onLive(live: boolean) {
        comes = live;
        if (live) void look();
      },
    };
    if (isLive) void follow(`/api/v1/wire/stream?${asked}`, {}, hearing, over.signal);
    const timer = isLive
      ? window.setInterval(() => {
          if (!comes && !document.hidden) void look();
        }, everyMs)
      : 0;
    return () => {
      over.abort();
      clearInterval(timer);
      clearTimeout(drawing);
    };
  }, [asked, isLive, turn]);
  const again = () => setTurn(turn + 1);
  return state.asked === asked ? { ...state, again } : { again };
}
