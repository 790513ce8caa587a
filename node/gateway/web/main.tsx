/** Where the dashboard begins. */
import { render } from "preact";
import { App } from "./app.tsx";

const root = document.getElementById("root")!;
root.textContent = "";
render(<App />, root);
