/** How tests are run: `npm test` runs all but the long ones (`*.long.test.ts`), which `npm run test:long` runs. */
import { defineConfig } from "vitest/config";

/** Rooms whose tests only compute: they may share the cores with each other, the daemons and compilers of the others may not. */
const computing = "test/{core,explain,fuzz,kernel,sim,swarm,timeline,work}/**/*.test.ts";
const long = "test/**/*.long.test.ts";

export default defineConfig(({ mode }) => ({
  test: {
    // Builds and daemons share two cores with the other test files: a bound, not an expectation.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects:
      mode === "long"
        ? [{ extends: true, test: { name: "long", include: [long], maxWorkers: 1 } }]
        : [
            {
              extends: true,
              test: {
                name: "computing",
                // What computes ends: only a loop without end gets here, however busy the machine is.
                testTimeout: 180_000,
                include: [computing],
                exclude: [long],
                maxWorkers: "100%",
                sequence: { groupOrder: 0 },
              },
            },
            {
              extends: true,
              test: {
                name: "running",
                include: ["test/**/*.test.ts"],
                exclude: [long, computing],
                maxWorkers: "50%",
                sequence: { groupOrder: 1 },
              },
            },
          ],
  },
}));
