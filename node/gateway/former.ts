/** Paths that people know from the tools they had before: answered with what they mean here, or with the command that does it now. */
import type { Hono } from "hono";
import { isBuildId } from "../../protocol/kernel/ids.ts";

/** Where what was read there is read here. */
const moved: Readonly<Record<string, string>> = {
  "/api/status": "/api/v1/status",
  "/api/v1/sessions": "/api/v1/builds",
  "/api/v1/events/history": "/api/v1/events",
  "/api/v1/drone-health": "/api/v1/node-health",
  "/api/v1/escalation": "/api/v1/troubles",
  "/api/v1/build-stats": "/api/v1/stats",
  "/api/v1/build-stats/by-package": "/api/v1/stats?by=package",
  "/api/v1/build-stats/by-drone": "/api/v1/stats?by=node",
  "/api/v1/protocol": "/api/v1/wire",
  "/api/v1/protocol/stats": "/api/v1/wire/stats",
  "/api/v1/protocol/density": "/api/v1/wire/density",
  "/api/v1/protocol/snapshot": "/api/v1/wire/snapshot",
};

/** What changed something there, and the command that does so here. */
const commands: Readonly<Record<string, string>> = {
  "/api/v1/queue": "swarmd submit SPEC",
  "/api/v1/control": "swarmd pause|resume|rebalance|cancel",
  "/api/v1/register": "swarmd join PEER",
  "/api/v1/complete": "nothing: a node says itself what it has built",
};

/** What is no more: pulled work, and kept states of a server. */
const gone: Readonly<Record<string, string>> = {
  "/api/v1/work": "nodes claim their work by themselves: swarmd queue list",
  "/api/v1/profiles": "toolchains and targets stand in the spec: swarmd plan SPEC",
  "/api/v1/snapshots": "the timeline holds every moment: swarmd timeline",
};

/** What to use instead of a method that changes something at this path. */
export const commandFor = (path: string): string | undefined =>
  commands[path] ?? gone[`/${path.split("/").slice(1, 4).join("/")}`];

/** Pages, and the view of a build that shows the same. */
const pages: Readonly<Record<string, string>> = {
  "/ui/live_dag.html": "",
  "/ui/replay.html": "/replay",
};

export function former(app: Hono): void {
  for (const [from, view] of Object.entries(pages))
    app.get(from, (c) => {
      const build = c.req.query("build") ?? c.req.query("session") ?? "";
      return c.redirect(`/#/builds/${isBuildId(build) ? build : "latest"}${view}`, 307);
    });
  for (const [from, to] of Object.entries(moved))
    app.get(from, (c) => c.redirect(withQuery(to, c.req.url), 307));
  for (const what of ["autopsy", "replay"])
    app.get(`/api/${what}/:build`, (c) =>
      c.redirect(withQuery(`/api/v1/builds/${c.req.param("build")}/${what}`, c.req.url), 307),
    );
  for (const [path, remedy] of Object.entries(gone))
    for (const at of [path, `${path}/*`])
      app.get(at, (c) => c.json({ error: { code: "not-found", message: "this is no more", remedy } }, 410));
}

function withQuery(to: string, url: string): string {
  const { search } = new URL(url);
  return search === "" || to.includes("#")
    ? to
    : to.includes("?")
      ? `${to}&${search.slice(1)}`
      : `${to}${search}`;
}
