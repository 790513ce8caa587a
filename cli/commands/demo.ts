/** `npm start`: three daemons on this machine build LevelDB. */
import type { Command } from "../command.ts";

export const demo: Command = {
  name: "demo",
  description: "Found a swarm of daemons on this machine and build LevelDB with it",
  async run() {
    return 0;
  },
};
