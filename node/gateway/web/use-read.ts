/** A read of the gateway as a view holds it: loading, there, or refused; read again at a pace, and at once when something happened. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { TimelineLine } from "../../control/account.ts";
import { listen } from "./feed.ts";
import { Refused, read } from "./source.ts";

export interface Reading<T> {
  readonly value?: T;
  /** The last try was refused; `value` is what was read before. */
  readonly refused?: Refused;
  again(): void;
}

export interface Pace {
  /** 0: only when told to. */
  readonly everyMs: number;
  /** Which events make it worth another look. */
  readonly on?: (line: TimelineLine) => boolean;
  /** Two looks that events cause are so far apart, milliseconds: more where much is read. */
  readonly apartMs?: number;
}

const apartMs = 300;

/** `path` undefined: nothing to read. */
export function useRead<T>(path: string | undefined, pace: Pace): Reading<T> {
  const [state, setState] = useState<{ path?: string; value?: T; refused?: Refused }>({});
  const paced = useRef(pace);
  paced.current = pace;
  const kick = useRef(() => {});
  useEffect(() => {
    if (path === undefined) return;
    const over = new AbortController();
    let timer = 0;
    let busy = false;
    let wanted = false;
    const plan = (ms: number) => {
      clearTimeout(timer);
      timer = window.setTimeout(look, ms);
    };
    const look = async () => {
      if (busy) {
        wanted = true;
        return;
      }
      busy = true;
      wanted = false;
      try {
        const value = await read<T>(path, over.signal);
        if (over.signal.aborted) return;
        setState({ path, value });
      } catch (fault) {
        if (over.signal.aborted) return;
        const refused = fault instanceof Refused ? fault : new Refused(0, "malformed", String(fault), "");
        setState((before) => (before.path === path ? { ...before, refused } : { path, refused }));
      }
      busy = false;
      if (wanted) plan(apartMs);
      else if (paced.current.everyMs > 0)
        plan(document.hidden ? 10 * paced.current.everyMs : paced.current.everyMs);
    };
    kick.current = () => plan(0);
    const seen = () => {
      if (!document.hidden) plan(0);
    };
    document.addEventListener("visibilitychange", seen);
    let soon = 0;
    const deaf = listen((line) => {
      if (line !== undefined && !paced.current.on?.(line)) return;
      if (soon !== 0) return;
      soon = window.setTimeout(() => {
        soon = 0;
        void look();
      }, paced.current.apartMs ?? apartMs);
    });
    void look();
    return () => {
      over.abort();
      clearTimeout(timer);
      clearTimeout(soon);
      document.removeEventListener("visibilitychange", seen);
      deaf();
    };
  }, [path]);
  const again = useCallback(() => kick.current(), []);
  return state.path === path ? { ...state, again } : { again };
}
