/** What holds a build, what its scheduler would choose next and why, and what a person could do: each act as a command to copy, for nothing is done from here. */
import { useState } from "preact/hooks";
import type { ActionView, NodeView } from "../../../control/api.ts";
import type { ChoiceView, DebugView, PreviewView } from "../../../control/debugging.ts";
import type { HoldView, WordView } from "../../../control/words.ts";
import { Command } from "../command.tsx";
import { Empty, Facts, Shows, Sign, Table } from "../parts.tsx";
import { count, duration, moment } from "../quantity.ts";
import { linkTo } from "../route.ts";
import { Contender, Parts, Score } from "../score.tsx";
import { actionStates, buildStates } from "../states.ts";
import { useRead } from "../use-read.ts";

const choicesMax = 12;
const waitsMax = 50;
const offeredMax = 20;
const wordKinds = new Set(["claim", "done", "fail", "cached", "control", "expire", "abandon", "sealed"]);

export function Debug({ build, isLive }: { build: string; isLive: boolean }) {
  if (!isLive)
    return (
      <Empty>
        It has ended: there is nothing to stop any more. What was chosen stands in{" "}
        <a href={linkTo(["builds", build, "decisions"])}>Decisions</a>, each moment in{" "}
        <a href={linkTo(["builds", build, "replay"])}>Replay</a>.
      </Empty>
    );
  return <Live build={build} />;
}

function Live({ build }: { build: string }) {
  const pace = {
    everyMs: 5000,
    on: (line: { build?: string; kind: string; family: string }) =>
      line.build === build && (wordKinds.has(line.kind) || line.family === "debugger_preview"),
    apartMs: 800,
  };
  const held = useRead<DebugView>(`/builds/${build}/breakpoints`, pace);
  const preview = useRead<PreviewView>(`/builds/${build}/preview?count=${choicesMax}`, pace);
  return (
    <div class="debug">
      <Shows reading={held}>{(view) => <Held build={build} view={view} />}</Shows>
      <section aria-label="Next choices">
        <h2>What would be chosen next</h2>
        <Shows reading={preview}>{(view) => <Choices build={build} view={view} />}</Shows>
      </section>
      <Acts build={build} />
    </div>
  );
}

/** What holds it now, and the words of people that stand. */
function Held({ build, view: { state, holds, breakpoints, places } }: { build: string; view: DebugView }) {
  const rests = holds.some(({ kind }) => kind !== "breakpoint");
  return (
    <section aria-label="What holds it">
      <Facts
        of={[
          ["state", <Sign key="s" of={buildStates[state]} />],
          ["holds", count(holds.length)],
          ["breakpoints", count(breakpoints.length)],
          ["placed", count(places.length)],
        ]}
      />
      {holds.length > 0 && (
        <ul class="plain holds">
          {holds.map((hold) => (
            <li key={`${hold.kind} ${hold.action ?? ""} ${hold.atMs}`}>
              <span class="sign held">
                <span aria-hidden="true">‖</span> {holdText(hold)}
              </span>{" "}
              <Said word={hold} />
            </li>
          ))}
        </ul>
      )}
      <div class="commands">
        {rests ? (
          <>
            <Command words={["step", build]} why="lets the next action run, and rests again" />
            <Command words={["step", build, "--count", "5"]} why="lets five run" />
            <Command words={["resume", build]} why="lets all go on" />
          </>
        ) : (
          <Command words={["pause", build]} why="what runs goes on to its end, nothing new begins" />
        )}
        {!breakpoints.some(({ action }) => action === undefined) && (
          <Command words={["breakpoint", build, "--on-failure"]} why="rests once an action fails" />
        )}
      </div>
      {breakpoints.length > 0 && (
        <Table label="Breakpoints" head={["Breakpoint", "Reached", "By", "Taken away by"]}>
          {breakpoints.map((one) => (
            <tr key={`${one.action ?? ""} ${one.atMs}`}>
              <th scope="row">{one.action ?? "on failure"}</th>
              <td>
                {one.reached ? (
                  <span class="sign held">‖ holds now</span>
                ) : (
                  <span class="quiet">not yet</span>
                )}
              </td>
              <td>
                <Said word={one} />
              </td>
              <td>
                <Command words={["breakpoint", build, one.action ?? "--on-failure", "--clear"]} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {places.length > 0 && (
        <Table label="Placed" head={["Action", "Placed on", "State", "By", "Taken away by"]}>
          {places.map((one) => (
            <tr key={one.action}>
              <th scope="row">{one.action}</th>
              <td>
                {one.node}
                {one.hindered && <div class="bad">{one.hindered}</div>}
              </td>
              <td>
                <Sign of={actionStates[one.state]} />
              </td>
              <td>
                <Said word={one} />
              </td>
              <td>
                <Command words={["place", build, one.action, "--clear"]} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

function holdText({ kind, action, forMs }: HoldView): string {
  const since = `for ${duration(forMs)}`;
  if (kind === "pause") return `paused ${since}`;
  return kind === "failure"
    ? `rests ${since} because ${action} failed`
    : `${action} stands at its breakpoint ${since}`;
}

const Said = ({ word: { by, atMs, reason } }: { word: WordView }) => (
  <span class="quiet">
    {by}, {moment(atMs)}
    {reason ? `: ${reason}` : ""}
  </span>
);

function Choices({ build, view }: { build: string; view: PreviewView }) {
  const { choices, waits, more, mode, state } = view;
  return (
    <>
      <p class="quiet">
        As this node sees it, in mode {mode}
        {state === "paused" ? "; as if it were resumed" : ""}.
      </p>
      {choices.length === 0 && waits.length === 0 && (
        <Empty>Nothing is ready: what is left waits for what runs.</Empty>
      )}
      <ol class="choices">
        {choices.map((choice) => (
          <Choice key={choice.action} build={build} choice={choice} />
        ))}
      </ol>
      {more > 0 && <p class="quiet">and {count(more)} more that are ready</p>}
      {waits.length > 0 && (
        <>
          <h3>Ready, and not chosen</h3>
          <ul class="plain">
            {waits.slice(0, waitsMax).map(({ action, why, command }) => (
              <li key={action}>
                <strong>{action}</strong> <span class="quiet">{why}</span>
                {command && <Command words={command} />}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Choice({ build, choice }: { build: string; choice: ChoiceView }) {
  const { action, node, startMs, endMs, sure, held, placed, waitsFor, candidates, unfit } = choice;
  const others = candidates.filter(({ chosen }) => !chosen);
  const most = Math.max(0.01, ...candidates.map(({ score }) => score));
  return (
    <li>
      <details>
        <summary>
          <strong>{action}</strong> <span aria-hidden="true">→</span> {node}{" "}
          <span class="quiet">
            {startMs < 1 ? "now" : `in ${duration(startMs)}`}, for {duration(endMs - startMs)}
            {sure ? "" : "; likely"}
            {held ? `; held by a ${held}` : ""}
            {placed ? `; placed by ${placed.by}` : ""}
            {waitsFor.length > 0 ? `; after ${listed(waitsFor)}` : ""}
          </span>
        </summary>
        <div class="opened">
          <Table label={`Candidates for ${action}`} head={["Candidate", "Score", "Parts"]}>
            {candidates.map(({ node, score, parts, chosen }) => (
              <tr key={node} class={chosen ? "chosen" : ""}>
                <Contender node={node} chosen={chosen} />
                <td>
                  <Score value={score} most={most} />
                </td>
                <td>
                  <Parts parts={parts} />
                </td>
              </tr>
            ))}
          </Table>
          {unfit.map(({ node, why }) => (
            <p key={node}>
              {node} may not have it: <span class="quiet">{why}</span>
            </p>
          ))}
          <Command words={["step", build, action]} why="lets it run, and nothing else" />
          <Command words={["breakpoint", build, action]} why="holds it once it is its turn" />
          {others.slice(0, 3).map(({ node }) => (
            <Command key={node} words={["place", build, action, node]} why={`lets ${node} have it`} />
          ))}
        </div>
      </details>
    </li>
  );
}

const listedMax = 3;
const listed = (names: readonly string[]): string =>
  `${names.slice(0, listedMax).join(", ")}${names.length > listedMax ? ` and ${names.length - listedMax} more` : ""}`;

/** For any action of the build. */
function Acts({ build }: { build: string }) {
  const [action, setAction] = useState("");
  const [node, setNode] = useState("");
  const found = useRead<{ items: ActionView[] }>(
    `/builds/${build}/actions?${new URLSearchParams({ limit: String(offeredMax), ...(action === "" ? {} : { search: action }) })}`,
    { everyMs: 0 },
  );
  const nodes = useRead<NodeView[]>("/nodes", { everyMs: 0 });
  const names = (nodes.value ?? []).map(({ name }) => name);
  return (
    <section aria-label="For any action">
      <h2>For any action</h2>
      <div class="tools">
        <label>
          Action{" "}
          <input
            list="actions-of-build"
            value={action}
            placeholder="its name"
            onInput={(e) => setAction(e.currentTarget.value.trim())}
          />
        </label>
        <datalist id="actions-of-build">
          {found.value?.items.map(({ name }) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <label>
          Node{" "}
          <select value={node} onChange={(e) => setNode(e.currentTarget.value)}>
            <option value="">{names[0] ?? "NODE"}</option>
            {names.slice(1).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </div>
      {action === "" ? (
        <p class="quiet">Its commands stand here once it is named.</p>
      ) : (
        <>
          <Command words={["step", build, action]} why="lets it run, and nothing else" />
          <Command words={["breakpoint", build, action]} why="holds it once it is its turn" />
          <Command
            words={["place", build, action, node || (names[0] ?? "NODE")]}
            why="lets that node have it"
          />
        </>
      )}
    </section>
  );
}
