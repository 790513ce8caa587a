/** Where a film stands, and how it goes on: by the slider, by steps, or by itself. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Film } from "./film.ts";

export const speeds = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250];
/** A film is played in about so long, unless another speed is chosen. */
const wholeMs = 15_000;

export interface Player {
  /** Milliseconds from the first event. */
  readonly ms: number;
  /** Events that had been said by then. */
  readonly count: number;
  readonly isPlaying: boolean;
  readonly speed: number;
  setSpeed(speed: number): void;
  toMs(ms: number): void;
  /** To just after an event, counted from 1; 0: before all of them. */
  toCount(count: number): void;
  step(by: number): void;
  play(): void;
  pause(): void;
}

/** `startMs` undefined: at its end. */
export function usePlayer(film: Film, startMs: number | undefined): Player {
  const [at, setAt] = useState(() => {
    const ms = Math.max(0, Math.min(film.lengthMs, startMs ?? film.lengthMs));
    return { ms, count: film.countAt(ms) };
  });
  const [isPlaying, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(() => speedFor(film));
  const latest = useRef({ at, speed });
  latest.current = { at, speed };
  const set = useCallback((next: { ms: number; count: number }) => {
    latest.current = { ...latest.current, at: next };
    setAt(next);
  }, []);
  const toMs = useCallback(
    (ms: number) => {
      const held = Math.max(0, Math.min(film.lengthMs, ms));
      set({ ms: held, count: film.countAt(held) });
    },
    [film, set],
  );
  const toCount = useCallback(
    (count: number) => {
      const held = Math.max(0, Math.min(film.steps.length, count));
      set({ ms: film.msAt(held), count: held });
    },
    [film, set],
  );
  useEffect(() => {
    if (!isPlaying) return;
    let frame = 0;
    let beforeMs: number | undefined;
    const go = (nowMs: number) => {
      const { at, speed } = latest.current;
      const ms = at.ms + (beforeMs === undefined ? 0 : (nowMs - beforeMs) * speed);
      beforeMs = nowMs;
      toMs(ms);
      if (ms >= film.lengthMs) setPlaying(false);
      else frame = requestAnimationFrame(go);
    };
    frame = requestAnimationFrame(go);
    return () => cancelAnimationFrame(frame);
  }, [film, isPlaying, toMs]);
  // A film that was read again goes on where it stood.
  const shown = useRef(film);
  useEffect(() => {
    if (shown.current === film) return;
    shown.current = film;
    toMs(latest.current.at.ms);
  }, [film, toMs]);
  const pause = useCallback(() => setPlaying(false), []);
  return {
    ...at,
    isPlaying,
    speed,
    setSpeed,
    pause,
    toMs: (ms) => {
      setPlaying(false);
      toMs(ms);
    },
    toCount: (count) => {
      setPlaying(false);
      toCount(count);
    },
    step(by) {
      setPlaying(false);
      toCount(latest.current.at.count + by);
    },
    play() {
      if (latest.current.at.ms >= film.lengthMs) toMs(0);
      setPlaying(true);
    },
  };
}

const speedFor = ({ lengthMs }: Film): number =>
  speeds.reduce((best, one) =>
    Math.abs(Math.log(one / (lengthMs / wholeMs))) < Math.abs(Math.log(best / (lengthMs / wholeMs)))
      ? one
      : best,
  );
