/** Where the dashboard begins inside Cockpit: the same pages, read through Cockpit's own connection to the machine. */
import { render } from "preact";
import { App } from "../app.tsx";
import { carryBy } from "../source.ts";
import { type Cockpit, throughBridge } from "./bridge.ts";

const { cockpit } = globalThis as unknown as { cockpit: Cockpit };
const port = Number(
  document.querySelector<HTMLMetaElement>('meta[name="swarmd-gateway-port"]')?.content ?? 4780,
);
carryBy(throughBridge(cockpit, port));
const root = document.getElementById("root")!;
root.textContent = "";
render(<App />, root);
