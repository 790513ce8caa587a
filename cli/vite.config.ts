/** How the program is built: the sources and the packages behind them go into a few files, which Node reads in a third of the time. */
import { defineConfig } from "vite";
import { commitOf } from "../node/commit.ts";

/** Ink asks for it where it is developed itself. */
const inspector = "react-devtools-core";

export default defineConfig({
  publicDir: false,
  define: { "process.env.NODE_ENV": '"production"' },
  // What is compiled for a machine stays a package.
  ssr: { noExternal: true, external: ["classic-level"] },
  build: {
    ssr: true,
    emptyOutDir: false,
    target: "node24",
    license: { fileName: "LICENSES.md" },
    rolldownOptions: {
      // Whatever is started as a process or a thread of its own, under the name of its source.
      input: Object.fromEntries(
        ["cli/main", "node/sql/process", "node/sql/guardian"].map((name) => [name, `${name}.ts`]),
      ),
      output: { entryFileNames: "[name].js", chunkFileNames: "parts/[name].js" },
    },
  },
  plugins: [
    {
      name: "no-inspector",
      enforce: "pre",
      resolveId: (id) => (id === inspector ? `\0${id}` : undefined),
      load: (id) => (id === `\0${inspector}` ? "export default {}" : undefined),
    },
    {
      name: "commit",
      generateBundle() {
        this.emitFile({ type: "asset", fileName: "commit", source: commitOf(".") ?? "" });
      },
    },
  ],
});
