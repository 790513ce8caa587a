/** The graph of a build, alive: laid out by a worker, drawn on a canvas, searched and filtered. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { PathView } from "../../../../protocol/explain/paths.ts";
import type { ActionState } from "../../../control/api.ts";
import { actionStateNames, actionStates } from "../states.ts";
import { useRead } from "../use-read.ts";
import { GraphCanvas } from "./canvas.ts";
import type { Layout } from "./layout.ts";
import type { LiveBuild } from "./live-build.ts";

const [foundMax, namesMax] = [50, 500];

interface Props {
  readonly build: string;
  readonly live: LiveBuild;
  readonly version: number;
  readonly chosen: string | undefined;
  readonly choose: (action: string | undefined) => void;
  /** Have a place of their own also while no action is in them. */
  readonly states?: readonly ActionState[];
  /** What it is about: the rest is faded. */
  readonly about?: ReadonlySet<number>;
}

export function Dag({ build, live, version, chosen, choose, states = [], about }: Props) {
  const at = useRef<HTMLCanvasElement>(null);
  const graph = useRef<GraphCanvas | undefined>(undefined);
  const layout = useLayout(live);
  const [search, setSearch] = useState("");
  const [state, setState] = useState<ActionState | "">("");
  const [node, setNode] = useState("");
  const [target, setTarget] = useState("");
  const [isPathShown, showPath] = useState(false);
  const path = useRead<PathView>(isPathShown ? `/builds/${build}/critical-path` : undefined, {
    everyMs: 5000,
  });
  const latest = useRef({ live, choose });
  latest.current = { live, choose };

  useEffect(() => {
    const drawn = new GraphCanvas(at.current!, (i) => {
      const { live, choose } = latest.current;
      choose(i === undefined ? undefined : live.actions[i]?.name);
    });
    graph.current = drawn;
    return () => drawn.close();
  }, []);
  useEffect(() => {
    if (layout) graph.current?.show(live, layout);
  }, [live, layout, version]);

  // The build changes in place: `version` says when.
  const found = useMemo(
    () => amongOf(live, { search, state, node, target }),
    [live, version, search, state, node, target],
  );
  const among = found ?? about;
  const steps = isPathShown ? stepsOf(path.value) : undefined;
  useEffect(() => {
    graph.current?.mark({
      among,
      chosen: chosen === undefined ? undefined : live.index.get(chosen),
      path: steps?.flatMap(({ action }) => live.index.get(action) ?? []),
    });
  }, [live, among, chosen, steps]);

  const counts = useMemo(() => live.counts(), [live, version]);
  const widest = String(live.actions.length).length;
  const nodes = useMemo(() => namesOf(live.actions.map(({ node }) => node)), [live, version]);
  const targets = useMemo(() => namesOf(live.actions.map(({ target }) => target)), [live]);
  const reveal = (i: number) => {
    choose(live.actions[i]!.name);
    graph.current?.reveal(i);
  };
  return (
    <section class="dag" aria-label="Actions as a graph">
      <div class="tools">
        <input
          type="search"
          placeholder="Search actions"
          aria-label="Search actions"
          value={search}
          onInput={(e) => setSearch(e.currentTarget.value)}
          onKeyDown={(e) => {
            const [first] = found ?? [];
            if (e.key === "Enter" && first !== undefined) reveal(first);
          }}
        />
        <select aria-label="Node" value={node} onChange={(e) => setNode(e.currentTarget.value)}>
          <option value="">All nodes</option>
          {nodes.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        {targets.length > 0 && (
          <select aria-label="Target" value={target} onChange={(e) => setTarget(e.currentTarget.value)}>
            <option value="">All targets</option>
            {targets.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
        <label class="check">
          <input type="checkbox" checked={isPathShown} onChange={(e) => showPath(e.currentTarget.checked)} />{" "}
          Critical path
        </label>
        <span class="zooms">
          <button type="button" aria-label="Smaller" onClick={() => graph.current?.zoom(1 / 1.3)}>
            −
          </button>
          <button type="button" aria-label="Larger" onClick={() => graph.current?.zoom(1.3)}>
            +
          </button>
          <button type="button" onClick={() => graph.current?.fit()}>
            Fit
          </button>
        </span>
      </div>
      <fieldset class="legend">
        <legend class="hidden">Only one state</legend>
        {actionStateNames
          .filter((one) => counts[one] > 0 || one === state || states.includes(one))
          .map((one) => (
            <button
              key={one}
              type="button"
              class={`chip ${actionStates[one].tone}`}
              aria-pressed={state === one}
              onClick={() => setState(state === one ? "" : one)}
            >
              <span aria-hidden="true">{actionStates[one].sign}</span>{" "}
              <span class="many" style={{ minWidth: `${widest}ch` }}>
                {counts[one]}
              </span>{" "}
              {one}
            </button>
          ))}
      </fieldset>
      <div class="sheet">
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it takes keys of its own, and no other element paints */}
        <canvas
          ref={at}
          tabIndex={0}
          role="application"
          aria-label={`${live.actions.length} actions. Arrows move, plus and minus zoom, 0 shows all, n and p go from action to action.`}
          data-laid={layout ? "yes" : "no"}
        />
        {!layout && <p class="quiet over">Laying out {live.actions.length} actions…</p>}
      </div>
      {found && (
        <ul class="found" aria-label="Found">
          {[...found].slice(0, foundMax).map((i) => (
            <li key={i}>
              <button type="button" onClick={() => reveal(i)}>
                <span aria-hidden="true">{actionStates[live.actions[i]!.state].sign}</span>{" "}
                {live.actions[i]!.name}
              </button>
            </li>
          ))}
          {found.size > foundMax && <li class="quiet">and {found.size - foundMax} more</li>}
          {found.size === 0 && <li class="quiet">No action is like this.</li>}
        </ul>
      )}
    </section>
  );
}

/** As it was; before anything has run, as it is planned. */
const stepsOf = (path: PathView | undefined): readonly { readonly action: string }[] | undefined =>
  path && (path.fact.steps.length > 0 ? path.fact.steps : path.plan.steps);

/** Undefined: nothing was asked for. */
function amongOf(
  live: LiveBuild,
  { search, state, node, target }: { search: string; state: ActionState | ""; node: string; target: string },
): Set<number> | undefined {
  if (search === "" && state === "" && node === "" && target === "") return undefined;
  const word = search.toLowerCase();
  const among = new Set<number>();
  for (const [i, action] of live.actions.entries())
    if (
      (state === "" || action.state === state) &&
      (node === "" || action.node === node) &&
      (target === "" || action.target === target) &&
      action.name.toLowerCase().includes(word)
    )
      among.add(i);
  return among;
}

/** Each once, in order; at most 500. */
function namesOf(all: readonly (string | undefined)[]): string[] {
  const names = new Set<string>();
  for (const name of all) if (name !== undefined) names.add(name);
  return [...names].sort((a, b) => (a < b ? -1 : 1)).slice(0, namesMax);
}

function useLayout(live: LiveBuild): Layout | undefined {
  const [layout, setLayout] = useState<{ of: LiveBuild; is: Layout }>();
  useEffect(() => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Layout>) => {
      setLayout({ of: live, is: data });
      worker.terminate();
    });
    worker.postMessage({ count: live.actions.length, edges: live.edges });
    return () => worker.terminate();
  }, [live]);
  return layout?.of === live ? layout.is : undefined;
}
