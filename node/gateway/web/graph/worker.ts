/** Lays graphs out beside the page, so that it never stands still. */
import { type Graph, layoutOf } from "./layout.ts";

self.addEventListener("message", ({ data }: MessageEvent<Graph>) => {
  self.postMessage(layoutOf(data));
});
