/** A build at any moment, moved by a slider, by steps, or by itself: its graph, its members, what waited, and who ran what, as they were. */
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { ReadingsView } from "../../../control/account.ts";
import { Dag } from "../graph/dag.tsx";
import { Empty, Loading, Trouble } from "../parts.tsx";
import { count, duration, moment } from "../quantity.ts";
import { Bands } from "../replay/bands.tsx";
import type { Film } from "../replay/film.ts";
import { MembersThen } from "../replay/members-then.tsx";
import { Slider } from "../replay/slider.tsx";
import { useFilm } from "../replay/use-film.ts";
import { type Player, speeds, usePlayer } from "../replay/use-player.ts";
import { linkTo } from "../route.ts";
import { useRead } from "../use-read.ts";

/** Of the events beside the one at hand. */
const [wordsBefore, wordsAfter] = [3, 2];
const queueMax = 8;
const aboutMax = 12;
const farSteps = 20;
/** The address follows at this distance. */
const addressMs = 400;

export function Replay({ build, query }: { build: string; query: URLSearchParams }) {
  const { film, refused, newer, again } = useFilm(build);
  if (!film) return refused ? <Trouble refused={refused} again={again} /> : <Loading />;
  if (film.steps.length === 0) return <Empty>Nobody said anything in it.</Empty>;
  return <Shown build={build} film={film} query={query} newer={newer} again={again} />;
}

interface Props {
  readonly build: string;
  readonly film: Film;
  readonly query: URLSearchParams;
  readonly newer: number;
  readonly again: () => void;
}

function Shown({ build, film, query, newer, again }: Props) {
  const asked = query.get("at");
  const player = usePlayer(film, asked === null ? undefined : Number(asked) || 0);
  const action = query.get("action") ?? undefined;
  useKeys(player, film);
  useAddress(build, player, asked, action);
  // The actions change in place: `count` says how far they are.
  useMemo(() => film.seek(player.count), [film, player.count]);
  const recorded = useRead<ReadingsView>(`/builds/${build}/readings`, { everyMs: 0 });
  const choose = (chosen: string | undefined) => {
    const at = String(Math.round(player.ms));
    history.replaceState(null, "", linkTo(["builds", build, "replay"], { at, action: chosen }));
    dispatchEvent(new HashChangeEvent("hashchange"));
  };
  const nodes = film.nodesAt(player.count === 0 ? -1 : player.ms);
  return (
    <section class="replay" aria-label="Replay">
      <Controls film={film} player={player} newer={newer} again={again} />
      <Slider film={film} player={player} />
      <AtHand film={film} player={player} />
      <div class="split then">
        <Dag
          build={build}
          live={film.live}
          version={player.count}
          chosen={action}
          choose={choose}
          states={film.states}
        />
        <div class="beside">
          <MembersThen
            nodes={nodes}
            wallMs={film.from.fromMs + player.ms}
            readings={recorded.value?.nodes ?? {}}
          />
          <Queue film={film} />
          {action !== undefined && film.live.index.has(action) && (
            <About film={film} player={player} action={action} />
          )}
        </div>
      </div>
      <Bands film={film} ms={player.ms} toMs={player.toMs} />
    </section>
  );
}

function Controls({
  film,
  player,
  newer,
  again,
}: {
  film: Film;
  player: Player;
  newer: number;
  again: () => void;
}) {
  const { isPlaying } = player;
  return (
    <div class="tools playing">
      <button type="button" aria-label="To the beginning" onClick={() => player.toCount(0)}>
        |◀
      </button>
      <button type="button" aria-label="One event back" onClick={() => player.step(-1)}>
        ‹
      </button>
      <button
        type="button"
        class="play"
        aria-label={isPlaying ? "Pause" : "Play"}
        onClick={() => (isPlaying ? player.pause() : player.play())}
      >
        {isPlaying ? "‖" : "▶"}
      </button>
      <button type="button" aria-label="One event on" onClick={() => player.step(1)}>
        ›
      </button>
      <button type="button" aria-label="To the end" onClick={() => player.toMs(film.lengthMs)}>
        ▶|
      </button>
      <label>
        Speed{" "}
        <select value={player.speed} onChange={(e) => player.setSpeed(Number(e.currentTarget.value))}>
          {speeds.map((one) => (
            <option key={one} value={one}>
              {one}×
            </option>
          ))}
        </select>
      </label>
      <span class="stand">
        <strong>{duration(player.ms)}</strong> <span class="quiet">of {duration(film.lengthMs)}</span>{" "}
        <span class="quiet">
          · event {count(player.count)} of {count(film.steps.length)} · {moment(film.from.fromMs + player.ms)}
        </span>
      </span>
      {newer > 0 && (
        <button type="button" onClick={again}>
          {newer} newer {newer === 1 ? "event" : "events"}: read again
        </button>
      )}
    </div>
  );
}

/** The event at hand in words, between those before and after it. */
function AtHand({ film, player }: { film: Film; player: Player }) {
  const { steps, from } = film;
  const at = player.count - 1;
  const first = Math.max(0, Math.min(at - wordsBefore, steps.length - wordsBefore - wordsAfter - 1));
  const shown = steps.slice(first, first + wordsBefore + wordsAfter + 1);
  return (
    <ol class="words" aria-label="Events at this moment">
      {shown.map(([ms, node, , text], i) => (
        <li
          key={first + i}
          class={first + i > at ? "quiet" : ""}
          aria-current={first + i === at ? "step" : undefined}
        >
          <button type="button" title={text} onClick={() => player.toCount(first + i + 1)}>
            <span class="when">{duration(ms)}</span> <span class="who">{from.nodes[node]}</span>{" "}
            <span class="what">{text}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}

function Queue({ film }: { film: Film }) {
  const names = film.queue(queueMax + 1);
  return (
    <section class="queue">
      <h3>Ready, in nobody's hands</h3>
      <p class="clipped">
        {names.length === 0 ? (
          <span class="quiet">nothing</span>
        ) : (
          `${names.slice(0, queueMax).join(", ")}${names.length > queueMax ? " …" : ""}`
        )}
      </p>
    </section>
  );
}

/** What was said of the chosen action; each leads there. */
function About({ film, player, action }: { film: Film; player: Player; action: string }) {
  const places = useMemo(() => film.about(action), [film, action]);
  return (
    <section class="about">
      <h3>{action}</h3>
      <ul class="plain">
        {places.slice(0, aboutMax).map((place) => (
          <li key={place}>
            <button type="button" class="link" onClick={() => player.toCount(place + 1)}>
              {duration(film.steps[place]![0])}
            </button>{" "}
            <span class={place >= player.count ? "quiet" : ""}>{film.steps[place]![3]}</span>
          </li>
        ))}
        {places.length > aboutMax && <li class="quiet">and {places.length - aboutMax} more</li>}
      </ul>
    </section>
  );
}

/** Space plays, arrows step, with shift far, Home and End; not where keys mean something else. */
function useKeys(player: Player, film: Film): void {
  const latest = useRef({ player, film });
  latest.current = { player, film };
  useEffect(() => {
    const over = new AbortController();
    const hear = (e: KeyboardEvent) => {
      const { player, film } = latest.current;
      const on = e.target as HTMLElement;
      const isSlider = on.matches(".slider");
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
      if (!isSlider && on.matches("input, select, textarea, canvas[tabindex]")) return;
      if (e.key === " " && on.matches("button, a")) return;
      const by = e.shiftKey ? farSteps : 1;
      const acts: Readonly<Record<string, () => void>> = {
        " ": () => (player.isPlaying ? player.pause() : player.play()),
        ArrowLeft: () => player.step(-by),
        ArrowRight: () => player.step(by),
        PageUp: () => player.toMs(player.ms + film.lengthMs / 20),
        PageDown: () => player.toMs(player.ms - film.lengthMs / 20),
        Home: () => player.toCount(0),
        End: () => player.toMs(film.lengthMs),
      };
      const act = acts[e.key];
      if (!act) return;
      e.preventDefault();
      act();
    };
    addEventListener("keydown", hear, { signal: over.signal });
    return () => over.abort();
  }, []);
}

/** The address names the moment, so that it can be sent to somebody; and who changes it is taken there. */
function useAddress(build: string, player: Player, asked: string | null, action: string | undefined): void {
  const written = useRef(asked);
  const { toMs, isPlaying, ms } = player;
  useEffect(() => {
    if (asked === null || asked === written.current) return;
    written.current = asked;
    toMs(Number(asked) || 0);
  }, [asked]);
  useEffect(() => {
    if (isPlaying) return;
    const at = String(Math.round(ms));
    const timer = window.setTimeout(() => {
      written.current = at;
      history.replaceState(null, "", linkTo(["builds", build, "replay"], { at, action }));
    }, addressMs);
    return () => clearTimeout(timer);
  }, [build, isPlaying, ms, action]);
}
