/** How tests are run: `npm test` runs all but the long ones (`*.long.test.ts`), which `npm run test:long` runs. */
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  test: {
    include: [mode === "long" ? "test/**/*.long.test.ts" : "test/**/*.test.ts"],
    exclude: mode === "long" ? [] : ["test/**/*.long.test.ts"],
    // Builds and daemons share two cores with the other test files: a bound, not an expectation.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
}));
