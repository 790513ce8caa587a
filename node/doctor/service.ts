/** Whether something starts the daemon again after the machine did. */
import type { Finding } from "../control/api.ts";

/** `env`: what the daemon was started with; service managers leave their mark there. */
export function checkService(env: Readonly<Record<string, string | undefined>>): Finding {
  const check = "service";
  // A terminal under systemd has an invocation too; only what a unit started directly is told to tell when it is ready.
  if (env.INVOCATION_ID && env.NOTIFY_SOCKET) return { check, level: "ok", text: "systemd runs it" };
  if (env.RC_SVCNAME) return { check, level: "ok", text: "OpenRC runs it" };
  return {
    check,
    level: "note",
    text: "it was started by hand: after a restart of the machine it is not there",
    remedy: "swarmd service install",
  };
}
