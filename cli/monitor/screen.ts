/** The monitor's screen, drawn by ink: what is seen, which build is chosen, and which key does what. */
import { Box, type Key, render, Text, useApp, useInput, useWindowSize } from "ink";
import { createElement as h, type ReactNode, useEffect, useRef, useState } from "react";
import type { Context } from "../command.ts";
import { plain } from "../output.ts";
import { type Act, acts, carryOut } from "./acts.ts";
import { buildLines, helpLines, nodeLines, runningLines } from "./panels.ts";
import { type Seen, Watcher } from "./watcher.ts";

const buildsShown = 6;
const nodesShown = 10;
const runningShown = 8;

/** Draws until somebody quits; the exit code. */
export async function showMonitor(context: Context, everyMs: number): Promise<number> {
  const app = render(h(Monitor, { context, everyMs }), { alternateScreen: true, exitOnCtrlC: true });
  await app.waitUntilExit();
  return 0;
}

/** What waits for a build's name, and what of it is typed. */
interface Asking {
  readonly act: Act;
  readonly typed: string;
}

function Monitor({ context, everyMs }: { readonly context: Context; readonly everyMs: number }): ReactNode {
  const { control, output } = context;
  const { exit } = useApp();
  const { rows } = useWindowSize();
  const [seen, setSeen] = useState<Seen>({ lines: [] });
  const [at, setAt] = useState(0);
  const [word, setWord] = useState("");
  const [helped, setHelped] = useState(false);
  const [asking, setAsking] = useState<Asking>();
  const watcher = useRef<Watcher>(undefined);

  useEffect(() => {
    const own = new Watcher(control, everyMs, setSeen);
    watcher.current = own;
    own.start();
    return () => own.stop();
  }, [control, everyMs]);

  const builds = (seen.status?.builds ?? []).slice(0, buildsShown);
  const chosenAt = Math.min(at, Math.max(0, builds.length - 1));
  const chosen = builds[chosenAt];
  useEffect(() => watcher.current?.choose(chosen), [chosen?.build]);

  const act = async (one: Act) => {
    if (!chosen) return;
    setWord(`${chosen.build} …`);
    setWord(await carryOut(one, control, chosen));
    await watcher.current?.look();
  };

  useInput((input, key) => {
    if (asking) return typeName(asking, input, key);
    if (key.upArrow) return choose(-1);
    if (key.downArrow) return choose(1);
    // Fast fingers come as one piece.
    for (const [place, letter] of [...input].entries()) {
      const one = acts.find(({ key: own }) => own === letter);
      if (letter === "q") return exit();
      if (letter === "?") setHelped((was) => !was);
      else if (letter === "k") choose(-1);
      else if (letter === "j") choose(1);
      else if (one?.mustBeNamed && chosen)
        return typeName({ act: one, typed: "" }, input.slice(place + 1), key);
      else if (one) void act(one);
    }
  });

  const choose = (step: number) =>
    setAt((was) => Math.max(0, Math.min(builds.length - 1, Math.min(was, builds.length - 1) + step)));

  const typeName = (asked: Asking, input: string, key: Key) => {
    if (key.escape) return setAsking(undefined);
    if (key.backspace || key.delete) return setAsking({ ...asked, typed: asked.typed.slice(0, -1) });
    if (key.ctrl || key.meta) return;
    const [text = ""] = input.split(/[\r\n]/, 1);
    const typed = (asked.typed + text).slice(0, 128);
    if (!key.return && text === input) return setAsking({ ...asked, typed });
    setAsking(undefined);
    if (typed === chosen?.name || typed === chosen?.build) void act(asked.act);
    else setWord(`${JSON.stringify(plain(typed))} is not its name: nothing was done`);
  };

  const { status, trouble, lines } = seen;
  if (!status) return h(Text, null, trouble ?? "looking …");
  const nodes = [status.node, ...status.peers];
  const running = runningLines(status);
  const head = `${status.swarm.name}: ${nodes.length} nodes, ${status.counts.building} building, ${status.counts.needed} needed, ${status.counts.blocked} blocked`;
  const panels: [string, readonly string[]][] = [
    ["BUILDS", buildLines(output, builds, chosenAt)],
    ["NODES", withRest(nodeLines(output, nodes), nodesShown)],
    ["RUNNING", running.length > 0 ? withRest(running, runningShown) : ["  nothing"]],
  ];
  const taken = panels.reduce((sum, [, shown]) => sum + shown.length + 1, 0);
  // One line each for the head, the title of the output, the word and the keys.
  const room = Math.max(3, rows - taken - 4);
  const last: [string, readonly string[]] = helped
    ? ["KEYS", helpLines]
    : [chosen ? `OUTPUT of ${chosen.build}` : "OUTPUT", lines.slice(-room).map((line) => `  ${line}`)];
  const foot = asking
    ? `${asking.act.text.split(":")[0]}: type ${chosen?.name} and Enter, Esc to leave it: ${asking.typed}`
    : (trouble ?? word);
  return h(
    Box,
    { flexDirection: "column", height: rows - 1 },
    h(Text, { wrap: "truncate" }, output.tone("strong", plain(head))),
    ...[...panels, last].map(([title, shown]) =>
      h(Panel, { key: title.split(" ")[0]!, title: output.tone("faint", title), lines: shown }),
    ),
    h(Box, { flexGrow: 1 }),
    h(Text, { wrap: "truncate" }, trouble ? output.tone("bad", foot) : foot),
    h(
      Text,
      { wrap: "truncate" },
      output.tone("faint", "q quit  b rebalance  u unblock  p pause  s step  r retry  R reset  ? help"),
    ),
  );
}

function Panel({ title, lines }: { readonly title: string; readonly lines: readonly string[] }): ReactNode {
  return h(
    Box,
    { flexDirection: "column" },
    h(Text, null, title),
    ...lines.map((line, at) => h(Text, { key: at, wrap: "truncate" }, line)),
  );
}

/** As many as there is room for, and how many more. */
const withRest = (lines: readonly string[], most: number): readonly string[] =>
  lines.length <= most ? lines : [...lines.slice(0, most - 1), `  and ${lines.length - most + 1} more`];
