/** A build's film: read once, and again when asked to, because more was said since. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Steps } from "../../steps.ts";
import { listen } from "../feed.ts";
import { actionsOf } from "../graph/use-build.ts";
import { Refused, read } from "../source.ts";
import { Film } from "./film.ts";

export interface Filmed {
  readonly film?: Film;
  readonly refused?: Refused;
  /** Events that were said since it was read. */
  readonly newer: number;
  again(): void;
}

export function useFilm(build: string): Filmed {
  const [state, setState] = useState<{ film?: Film; refused?: Refused }>({});
  const [newer, setNewer] = useState(0);
  const [nth, setNth] = useState(0);
  useEffect(() => {
    const over = new AbortController();
    setNewer(0);
    const look = async () => {
      try {
        const [steps, views] = await Promise.all([
          read<Steps>(`/builds/${build}/steps`, over.signal),
          actionsOf(build, over.signal),
        ]);
        setState({ film: new Film(steps, views) });
      } catch (fault) {
        if (over.signal.aborted) return;
        const refused = fault instanceof Refused ? fault : new Refused(0, "malformed", String(fault), "");
        setState((before) => ({ ...before, refused }));
      }
    };
    void look();
    const deaf = listen((line) => {
      if (line?.build === build) setNewer((count) => count + 1);
    });
    return () => {
      over.abort();
      deaf();
    };
  }, [build, nth]);
  const again = useCallback(() => setNth((n) => n + 1), []);
  return { ...state, newer, again };
}
