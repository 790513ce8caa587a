/** How tests are run: `npm test` runs all but the long ones (`*.long.test.ts`), which `npm run test:long` runs. */
import { defineConfig } from "vitest/config";

/** Tests that only compute, on whole cores: some bend prototypes, clocks or limits. */
const simulating = ["test/{core,fuzz,sim}/**/*.test.ts"];
/** Tests that only compute, and leave nothing behind. */
const computing = ["test/{explain,kernel,swarm,timeline,work}/**/*.test.ts", "test/{specs,tidy}.test.ts"];
/** What computes ends: only a loop without end gets here, however busy the machine is. */
const computingMs = 180_000;
const long = "test/**/*.long.test.ts";

export default defineConfig(({ mode }) => ({
  test: {
    // Builds and daemons share the cores with other test files, or with whatever else runs there: only what hangs gets here.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: "100%",
    projects:
      mode === "long"
        ? [{ extends: true, test: { name: "long", include: [long], maxWorkers: 1 } }]
        : [
            {
              extends: true,
              test: {
                name: "simulating",
                testTimeout: computingMs,
                include: simulating,
                exclude: [long],
              },
            },
            {
              extends: true,
              test: {
                name: "computing",
                testTimeout: computingMs,
                // Each of these many files would read the same sources anew, which takes longer than most of its tests.
                isolate: false,
                include: computing,
                exclude: [long],
              },
            },
            {
              extends: true,
              test: {
                name: "running",
                include: ["test/**/*.test.ts"],
                exclude: [long, ...simulating, ...computing],
              },
            },
          ],
  },
}));
