/** How the dashboard is built: one folder of files that the gateway reads into memory. */
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  build: {
    outDir: "../../../dist/page",
    emptyOutDir: true,
    assetsDir: "page",
    // The gateway's policy takes nothing that stands in the page itself.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  worker: { format: "es" },
});
