/** How the dashboard is built for Cockpit: a package folder with relative paths, whose page loads Cockpit's own script first. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { defineConfig } from "vite";

/** What makes a folder a package of Cockpit. */
const manifest = readFileSync(path.join(import.meta.dirname, "manifest.json"), "utf8");

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  build: {
    outDir: "../../../../dist/cockpit",
    emptyOutDir: true,
    assetsDir: "page",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  worker: { format: "es" },
  plugins: [
    {
      name: "manifest",
      generateBundle() {
        this.emitFile({ type: "asset", fileName: "manifest.json", source: manifest });
      },
    },
  ],
});
