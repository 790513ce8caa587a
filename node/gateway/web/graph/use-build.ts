/** One build, followed: its summary, its actions, and each change of them as it is said. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ActionView } from "../../../control/api.ts";
import { listen } from "../feed.ts";
import { Refused, read } from "../source.ts";
import { LiveBuild } from "./live-build.ts";

export interface Followed {
  readonly live?: LiveBuild;
  /** Counts up with each change of an action. */
  readonly version: number;
  readonly refused?: Refused;
}

interface Page {
  readonly items: readonly ActionView[];
  readonly next: number | null;
}

const soonMs = 250;
/** What an event did not say is read again so much later, with more for more actions. */
const paceMs = (actions: number): number => Math.min(10_000, 1000 + actions);

export function useBuild(build: string): Followed {
  const [state, setState] = useState<Followed>({ version: 0 });
  const held = useRef<LiveBuild | undefined>(undefined);
  useEffect(() => {
    const over = new AbortController();
    let timer = 0;
    let due = Number.POSITIVE_INFINITY;
    let frame = 0;
    let busy = false;
    held.current = undefined;
    setState({ version: 0 });
    const plan = (ms: number) => {
      const at = performance.now() + ms;
      if (at >= due) return;
      due = at;
      clearTimeout(timer);
      timer = window.setTimeout(look, ms);
    };
    const changed = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        setState((before) => ({ live: held.current, version: before.version + 1 }));
      });
    };
    const look = async () => {
      due = Number.POSITIVE_INFINITY;
      if (busy) return plan(soonMs);
      busy = true;
      try {
        const views = await actionsOf(build, over.signal);
        if (!held.current?.replace(views)) held.current = new LiveBuild(views);
        changed();
      } catch (fault) {
        if (over.signal.aborted) return;
        const refused = fault instanceof Refused ? fault : new Refused(0, "malformed", String(fault), "");
        setState((before) => ({ ...before, refused }));
      }
      busy = false;
      if (held.current && isOver(held.current)) return;
      plan(document.hidden ? 60_000 : 2 * paceMs(held.current?.actions.length ?? 0));
    };
    const deaf = listen((line) => {
      if (line === undefined) return plan(soonMs);
      if (line.build !== build) return;
      const unclear = held.current?.take(line) ?? true;
      changed();
      if (unclear)
        plan(line.kind === "sealed" ? soonMs : Math.min(2000, paceMs(held.current?.actions.length ?? 0)));
    });
    void look();
    return () => {
      over.abort();
      deaf();
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  }, [build]);
  return state;
}

/** All actions of a build, page by page. Throws `Refused`. */
export async function actionsOf(build: string, signal: AbortSignal): Promise<ActionView[]> {
  const views: ActionView[] = [];
  for (let offset: number | null = 0; offset !== null; ) {
    const page: Page = await read(`/builds/${build}/actions?limit=5000&offset=${offset}`, signal);
    views.push(...page.items);
    offset = page.next;
  }
  return views;
}

/** Nothing will change any more, unless somebody says so: that is an event. */
function isOver({ actions }: LiveBuild): boolean {
  return actions.every(({ state }) => state === "done" || state === "cancelled");
}
