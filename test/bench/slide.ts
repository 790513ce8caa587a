/** How soon a browser has the replay of a large build, and how smoothly its slider moves from one end to the other. */
import type { Views } from "../../node/gateway/views.ts";
import { noBrowser, openBrowser } from "../gateway/browser.ts";
import { lived } from "./account.ts";

export interface SlideRun {
  /** From asking for the page to the slider and the graph. */
  readonly firstMs: number;
  /** While the slider is moved with each frame, to and fro over the whole build. */
  readonly framesPerSecond: number;
}

const movedMs = 4000;

/** Undefined where there is no browser. */
export async function slid(count: number): Promise<SlideRun | undefined> {
  if (noBrowser !== undefined) return undefined;
  const { build, queries, asked } = lived(count);
  const { page, gateway, close } = await openBrowser({
    build: async (id) => queries.view(queries.find(id)),
    builds: async () => queries.builds(),
    replay: (request) => asked.replay(request),
    readings: (id) => asked.readings(id),
    timeline: (_, signal) => silence(signal),
  } as Partial<Views> as Views);
  try {
    const fromMs = performance.now();
    await page.goto(`${gateway.url}/#/builds/${build}/replay`);
    await page.getByRole("slider", { name: "Time" }).waitFor();
    await page.locator("canvas[data-laid=yes][data-pictures]").waitFor();
    const firstMs = performance.now() - fromMs;
    return { firstMs, framesPerSecond: (await page.evaluate(moved(movedMs))) as number };
  } finally {
    await close();
  }
}

/** Nobody says anything, until the signal. */
async function* silence(signal: AbortSignal): AsyncIterable<never> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** In the page: moves the slider with each frame, and counts the frames. */
const moved = (ms: number): string => `new Promise((done) => {
  const slider = document.querySelector(".slider");
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  const from = performance.now();
  let frames = 0;
  const step = () => {
    const passed = performance.now() - from;
    if (passed > ${ms}) return done((1000 * frames) / passed);
    frames++;
    set.call(slider, String(Math.round((Number(slider.max) * (1 + Math.sin(passed / 300))) / 2)));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})`;
