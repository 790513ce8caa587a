/** How the packed monitor is made: ink and react go into its one file, so that an installed swarmd does not carry the packages behind them. */
import { defineConfig } from "vite";

/** Ink asks for it where it is developed itself. */
const inspector = "react-devtools-core";
const entry = "dist/cli/monitor/screen.js";

export default defineConfig({
  publicDir: false,
  define: { "process.env.NODE_ENV": '"production"' },
  ssr: { noExternal: true },
  build: {
    ssr: entry,
    outDir: "dist/cli/monitor",
    emptyOutDir: false,
    target: "node24",
    rolldownOptions: {
      // Our own files stay what they are, so that there is one of each.
      external: (id, importer) => /^\.\.?\//.test(id) && importer?.endsWith(entry) === true,
      output: { entryFileNames: "screen.js", codeSplitting: false },
    },
  },
  plugins: [
    {
      name: "no-inspector",
      enforce: "pre",
      resolveId: (id) => (id === inspector ? `\0${id}` : undefined),
      load: (id) => (id === `\0${inspector}` ? "export default {}" : undefined),
    },
  ],
});
