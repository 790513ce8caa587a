/** How soon a browser shows the live graph of a large build, how smoothly it moves, and how soon an event is seen in it. */
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { noBrowser, openBrowser } from "../gateway/browser.ts";
import { Played } from "../gateway/played.ts";
import { graphOf } from "../work/facts.ts";

export interface PictureRun {
  /** From asking for the page to the first picture of the graph. */
  readonly firstMs: number;
  /** Of the whole graph, all in sight, while it is moved. */
  readonly framesPerSecond: number;
  /** From an event to a picture that shows it: the median of several. */
  readonly eventMs: number;
}

const events = 15;
const movedMs = 3000;

/** Undefined where there is no browser. */
export async function pictured(count: number): Promise<PictureRun | undefined> {
  if (noBrowser !== undefined) return undefined;
  const perLayer = Math.ceil(count / 10);
  const nameOf = (i: number) => `lib/part-${i}.o`;
  const needs = Array.from({ length: count }, (_, i): [string, string[]] => [
    nameOf(i),
    i < perLayer ? [] : [...new Set([i - perLayer, Math.max(0, i - perLayer - (i % 7))])].map(nameOf),
  ]);
  const views = new Played({ nodes: ["alpha", "beta"] });
  const build = await views.plan("large", graphOf(Object.fromEntries(needs)));
  const { page, gateway, close } = await openBrowser(views);
  try {
    const fromMs = performance.now();
    await page.goto(`${gateway.url}/#/builds/${build}`);
    await page.locator("canvas[data-laid=yes][data-pictures]").waitFor();
    const firstMs = performance.now() - fromMs;
    const framesPerSecond = (await page.evaluate(moved(movedMs))) as number;
    const took: number[] = [];
    for (let i = 0; i < events; i++) {
      const seen = page.getByRole("button", { name: `${i + 1} running` }).waitFor();
      const saidMs = performance.now();
      views.say(build, "start", "alpha", nameOf(i) as ActionName);
      await seen;
      took.push(performance.now() - saidMs);
    }
    took.sort((a, b) => a - b);
    return { firstMs, framesPerSecond, eventMs: took[took.length >> 1]! };
  } finally {
    await close();
  }
}

/** In the page: drags the graph to and fro, a step with each frame, and counts the frames. */
const moved = (ms: number): string => `new Promise((done) => {
  const canvas = document.querySelector("canvas");
  const { x, y, width, height } = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => {};
  const point = (kind, dx) => canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 1, clientX: x + width / 2 + dx, clientY: y + height / 2 }));
  const from = performance.now();
  let frames = 0;
  point("pointerdown", 0);
  const step = () => {
    const passed = performance.now() - from;
    if (passed > ${ms}) {
      point("pointerup", 0);
      return done((1000 * frames) / passed);
    }
    frames++;
    point("pointermove", 40 * Math.sin(passed / 200));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})`;
