import { createClock } from "../node/clock.ts";
import { clockContract } from "./contract/clock.ts";

clockContract("of the machine", () => ({
  clock: createClock(),
  async settle(condition) {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  },
}));
