/**
 * A graph of actions on a canvas: what is in sight is drawn, as much of it as can be read at that size. It draws when something changed and
 * never else.
 */
import { coloursOf, onColours } from "../colours.ts";
import { actionStates, tones } from "../states.ts";
import { boxHeight, boxWidth, type Layout } from "./layout.ts";
import type { LiveBuild } from "./live-build.ts";

export interface Marks {
  /** What the search and the filters leave; all where undefined. */
  readonly among?: ReadonlySet<number>;
  readonly chosen?: number;
  /** On the critical path, in its order. */
  readonly path?: readonly number[];
}

const scaleMax = 3;
/** Below these, what would be there cannot be read. */
const textScaleMin = 0.5;
const signScaleMin = 0.28;
const edgesMax = 6000;
const panStep = 80;

export class GraphCanvas {
  private readonly canvas: HTMLCanvasElement;
  private readonly onChoose: (node: number | undefined) => void;
  private live: LiveBuild | undefined;
  private layout: Layout | undefined;
  private marks: Marks = {};
  private colours: Readonly<Record<string, string>> = {};
  private scale = 1;
  private left = 0;
  private top = 0;
  /** Nobody has moved it since all of it was shown: it stays so when the canvas changes its size. */
  private isFitted = true;
  private frame = 0;
  private readonly over = new AbortController();
  private readonly fingers = new Map<number, { x: number; y: number }>();
  private moved = 0;
  private readonly sized: ResizeObserver;
  /** Pictures drawn, for whoever measures. */
  pictures = 0;

  constructor(canvas: HTMLCanvasElement, onChoose: (node: number | undefined) => void) {
    this.canvas = canvas;
    this.onChoose = onChoose;
    const on = <K extends keyof HTMLElementEventMap>(
      kind: K,
      hear: (event: HTMLElementEventMap[K]) => void,
    ) => canvas.addEventListener(kind, hear, { signal: this.over.signal, passive: false });
    on("pointerdown", (e) => this.press(e));
    on("pointermove", (e) => (this.fingers.size === 0 ? this.name(e) : this.drag(e)));
    on("pointerup", (e) => this.release(e));
    on("pointercancel", (e) => this.fingers.delete(e.pointerId));
    on("wheel", (e) => {
      e.preventDefault();
      if (e.ctrlKey || !e.shiftKey)
        this.zoom(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0015)), e.offsetX, e.offsetY);
      else this.pan(-e.deltaY, 0);
    });
    on("keydown", (e) => this.key(e));
    onColours(this.over.signal, () => {
      this.colours = coloursOf(canvas);
      this.draw();
    });
    this.sized = new ResizeObserver(() => {
      if (this.isFitted) this.fit();
      this.draw();
    });
    this.sized.observe(canvas);
    this.colours = coloursOf(canvas);
  }

  close(): void {
    this.over.abort();
    this.sized.disconnect();
    cancelAnimationFrame(this.frame);
  }

  show(live: LiveBuild, layout: Layout): void {
    const isNew = this.layout !== layout;
    this.live = live;
    this.layout = layout;
    if (isNew) this.fit();
    this.draw();
  }

  mark(marks: Marks): void {
    this.marks = marks;
    this.draw();
  }

  /** All of it, or as much as can be seen as boxes. */
  fit(): void {
    const { clientWidth, clientHeight } = this.canvas;
    if (!this.layout || clientWidth === 0) return;
    const { width, height } = this.layout;
    this.scale = Math.min(1, (clientWidth - 32) / width, (clientHeight - 32) / height);
    this.left = (clientWidth - width * this.scale) / 2;
    this.top = (clientHeight - height * this.scale) / 2;
    this.isFitted = true;
    this.draw();
  }

  pan(dx: number, dy: number): void {
    this.isFitted = false;
    this.left += dx;
    this.top += dy;
    this.keepInSight();
    this.draw();
  }

  /** Around a point of the canvas; its middle where none is given. */
  zoom(factor: number, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2): void {
    this.isFitted = false;
    const { width = 1, height = 1 } = this.layout ?? {};
    const min = Math.min(0.5, this.canvas.clientWidth / width / 2, this.canvas.clientHeight / height / 2);
    const scale = Math.min(scaleMax, Math.max(min, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.keepInSight();
    this.draw();
  }

  /** Brings a node to the middle, at a size at which it can be read. */
  reveal(node: number): void {
    if (!this.layout) return;
    this.isFitted = false;
    this.scale = Math.max(this.scale, 0.9);
    this.left = this.canvas.clientWidth / 2 - (this.layout.x[node]! + boxWidth / 2) * this.scale;
    this.top = this.canvas.clientHeight / 2 - (this.layout.y[node]! + boxHeight / 2) * this.scale;
    this.draw();
  }

  draw(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  private keepInSight(): void {
    if (!this.layout) return;
    const margin = 48;
    const { clientWidth, clientHeight } = this.canvas;
    this.left = Math.min(clientWidth - margin, Math.max(margin - this.layout.width * this.scale, this.left));
    this.top = Math.min(clientHeight - margin, Math.max(margin - this.layout.height * this.scale, this.top));
  }

  private paint(): void {
    const { canvas, layout, live, colours, scale } = this;
    const ratio = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d", { alpha: false })!;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = colours.ground!;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (!layout || !live) return;
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * this.left, ratio * this.top);
    const inSight = this.inSight(width, height);
    this.edges(pen, inSight);
    this.boxes(pen, inSight);
    if (scale >= signScaleMin) this.texts(pen, inSight);
    this.rings(pen);
    this.pictures++;
    canvas.dataset.pictures = String(this.pictures);
  }

  private inSight(width: number, height: number): number[] {
    const { x, y } = this.layout!;
    const [x0, y0] = [-this.left / this.scale - boxWidth, -this.top / this.scale - boxHeight];
    const [x1, y1] = [(width - this.left) / this.scale, (height - this.top) / this.scale];
    const nodes: number[] = [];
    for (let i = 0; i < x.length; i++)
      if (x[i]! > x0 && x[i]! < x1 && y[i]! > y0 && y[i]! < y1) nodes.push(i);
    return nodes;
  }

  /** Of what is in sight; where there are too many, of what is chosen and the critical path alone. */
  private edges(pen: CanvasRenderingContext2D, nodes: readonly number[]): void {
    const { before, after } = this.live!;
    const { chosen, path = [] } = this.marks;
    let total = 0;
    for (const node of nodes) total += before.starts[node + 1]! - before.starts[node]!;
    if (total <= edgesMax) {
      pen.beginPath();
      for (const node of nodes) {
        for (let e = before.starts[node]!; e < before.starts[node + 1]!; e++)
          this.edge(pen, before.of[e]!, node);
      }
      pen.strokeStyle = this.colours.edge!;
      pen.lineWidth = Math.min(2, 0.8 / this.scale);
      pen.stroke();
    }
    if (chosen !== undefined) {
      pen.beginPath();
      for (let e = before.starts[chosen]!; e < before.starts[chosen + 1]!; e++)
        this.edge(pen, before.of[e]!, chosen);
      for (let e = after.starts[chosen]!; e < after.starts[chosen + 1]!; e++)
        this.edge(pen, chosen, after.of[e]!);
      pen.strokeStyle = this.colours.text!;
      pen.lineWidth = 1.5 / this.scale;
      pen.stroke();
    }
    if (path.length > 1) {
      pen.beginPath();
      for (let i = 1; i < path.length; i++) this.edge(pen, path[i - 1]!, path[i]!);
      pen.strokeStyle = this.colours.path!;
      pen.lineWidth = 3 / this.scale;
      pen.stroke();
    }
  }

  private edge(pen: CanvasRenderingContext2D, from: number, to: number): void {
    const { x, y } = this.layout!;
    const [x0, y0] = [x[from]! + boxWidth, y[from]! + boxHeight / 2];
    const [x1, y1] = [x[to]!, y[to]! + boxHeight / 2];
    const bend = Math.max(24, (x1 - x0) / 2);
    pen.moveTo(x0, y0);
    if (this.scale > textScaleMin) pen.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
    else pen.lineTo(x1, y1);
  }

  private boxes(pen: CanvasRenderingContext2D, nodes: readonly number[]): void {
    const { x, y } = this.layout!;
    const { actions } = this.live!;
    const { among } = this.marks;
    const byTone = new Map<string, number[]>();
    for (const node of nodes) {
      const { tone } = actionStates[actions[node]!.state];
      const key = among && !among.has(node) ? "faded" : tone;
      const same = byTone.get(key);
      if (same) same.push(node);
      else byTone.set(key, [node]);
    }
    for (const tone of ["faded", ...tones]) {
      const same = byTone.get(tone);
      if (!same) continue;
      pen.beginPath();
      for (const node of same) pen.rect(x[node]!, y[node]!, boxWidth, boxHeight);
      pen.fillStyle = this.colours[tone]!;
      pen.fill();
    }
  }

  private texts(pen: CanvasRenderingContext2D, nodes: readonly number[]): void {
    const { x, y } = this.layout!;
    const { actions } = this.live!;
    const { among } = this.marks;
    const named = this.scale >= textScaleMin;
    pen.textBaseline = "middle";
    pen.font = `12px ${this.colours.font}`;
    for (const node of nodes) {
      const { name, state } = actions[node]!;
      const { tone, sign } = actionStates[state];
      const isFaded = among && !among.has(node);
      pen.fillStyle = isFaded ? this.colours.quiet! : this.colours[`on-${tone}`]!;
      if (named) {
        pen.fillText(sign, x[node]! + 6, y[node]! + boxHeight / 2 + 1, 12);
        pen.fillText(short(name), x[node]! + 22, y[node]! + boxHeight / 2 + 1, boxWidth - 28);
      } else pen.fillText(sign, x[node]! + boxWidth / 2 - 5, y[node]! + boxHeight / 2 + 1);
    }
  }

  private rings(pen: CanvasRenderingContext2D): void {
    const { x, y } = this.layout!;
    const { chosen, path = [] } = this.marks;
    const ring = (node: number, colour: string, wide: number) => {
      pen.strokeStyle = colour;
      pen.lineWidth = wide / this.scale;
      pen.strokeRect(x[node]!, y[node]!, boxWidth, boxHeight);
    };
    for (const node of path) ring(node, this.colours.path!, 2.5);
    if (chosen !== undefined) ring(chosen, this.colours.text!, 3);
  }

  private press(e: PointerEvent): void {
    this.canvas.setPointerCapture(e.pointerId);
    this.fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
    if (this.fingers.size === 1) this.moved = 0;
    else this.moved = 100;
  }

  private drag(e: PointerEvent): void {
    const finger = this.fingers.get(e.pointerId);
    if (!finger) return;
    const [dx, dy] = [e.offsetX - finger.x, e.offsetY - finger.y];
    const other = [...this.fingers].find(([id]) => id !== e.pointerId)?.[1];
    if (other) {
      const was = Math.hypot(finger.x - other.x, finger.y - other.y);
      const is = Math.hypot(e.offsetX - other.x, e.offsetY - other.y);
      if (was > 0) this.zoom(is / was, (e.offsetX + other.x) / 2, (e.offsetY + other.y) / 2);
      this.pan(dx / 2, dy / 2);
    } else {
      this.moved += Math.abs(dx) + Math.abs(dy);
      if (this.moved > 4) this.pan(dx, dy);
    }
    this.fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
  }

  /** Says whose box the pointer is over: from afar no box has its name in it. */
  private name(e: PointerEvent): void {
    const node = this.at(e.offsetX, e.offsetY);
    const { name, state } = (node === undefined ? undefined : this.live?.actions[node]) ?? {};
    const title = name === undefined ? "" : `${name}: ${actionStates[state!].word}`;
    // Written anew, a title that is shown would go away.
    if (this.canvas.title !== title) this.canvas.title = title;
  }

  private release(e: PointerEvent): void {
    this.fingers.delete(e.pointerId);
    if (this.moved <= 4) this.onChoose(this.at(e.offsetX, e.offsetY));
  }

  /** Which box is at a point of the canvas. */
  private at(px: number, py: number): number | undefined {
    if (!this.layout) return undefined;
    const { x, y } = this.layout;
    const [gx, gy] = [(px - this.left) / this.scale, (py - this.top) / this.scale];
    // A finger is not a needle: far away, what is nearest is meant.
    const slack = Math.min(12, 3 / this.scale);
    let near: number | undefined;
    let nearest = slack;
    for (let i = 0; i < x.length; i++) {
      const off = Math.max(x[i]! - gx, gx - x[i]! - boxWidth, y[i]! - gy, gy - y[i]! - boxHeight);
      if (off <= 0) return i;
      if (off <= nearest) [near, nearest] = [i, off];
    }
    return near;
  }

  private key(e: KeyboardEvent): void {
    const acts: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => this.pan(panStep, 0),
      ArrowRight: () => this.pan(-panStep, 0),
      ArrowUp: () => this.pan(0, panStep),
      ArrowDown: () => this.pan(0, -panStep),
      "+": () => this.zoom(1.3),
      "=": () => this.zoom(1.3),
      "-": () => this.zoom(1 / 1.3),
      "0": () => this.fit(),
      n: () => this.step(1),
      p: () => this.step(-1),
      Escape: () => this.onChoose(undefined),
    };
    const act = e.ctrlKey || e.metaKey || e.altKey ? undefined : acts[e.key];
    if (!act) return;
    e.preventDefault();
    act();
  }

  /** To the next of those that search and filters leave. */
  private step(by: 1 | -1): void {
    const nodes = this.marks.among ? [...this.marks.among] : [...(this.live?.actions.keys() ?? [])];
    if (nodes.length === 0) return;
    const at = nodes.indexOf(this.marks.chosen ?? -1);
    const next = nodes[(at + by + nodes.length) % nodes.length]!;
    this.onChoose(next);
    this.reveal(next);
  }
}

/** Its end says more than its beginning. */
const short = (name: string): string => (name.length > 24 ? `…${name.slice(-23)}` : name);
