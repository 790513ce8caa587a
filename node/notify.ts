/** Tells the service manager how the daemon is (sd_notify): that it is ready, that it is alive, that it goes down. */
import { execFile } from "node:child_process";

/** One notice to the manager, as variables of sd_notify(3): `READY=1`. Never throws; what fails is told to `failed`. */
export type Tell = (variables: readonly string[], failed: (error: Error) => void) => void;

export interface Notifier {
  /** It takes requests; from here on the manager is told that it lives, as often as it wants to hear it. */
  ready(words: string): void;
  stopping(): void;
}

/** One start each; the manager asks for it twice in its patience, which is a minute. */
const tellMsMax = 10_000;

/** Through the manager's own program: Node has no datagrams on Unix sockets (specs/decisions/0014-services.md). */
const tellBySystemd: Tell = (variables, failed) => {
  execFile("systemd-notify", [...variables], { timeout: tellMsMax }, (error) => {
    if (error) failed(error);
  });
};

/** Whom the environment names; one that says nothing where nobody listens. */
export function openNotifier(
  env: Readonly<Record<string, string | undefined>>,
  failed: (error: Error) => void,
  tell: Tell = tellBySystemd,
): Notifier {
  if (!env.NOTIFY_SOCKET) return { ready() {}, stopping() {} };
  let timer: NodeJS.Timeout | undefined;
  let hasFailed = false;
  /** That it is ready, until the manager was told. */
  let untold: readonly string[] = [];
  // A busy machine may be too slow for one notice: silence from then on would end a daemon that lives. It is complained of once.
  const say = (...variables: string[]) => {
    const news = variables.includes("READY=1") ? [] : untold;
    untold = [];
    const all = [...news, ...variables];
    tell(all, (error) => {
      if (all.includes("READY=1")) untold = all.filter((one) => one !== "WATCHDOG=1");
      if (!hasFailed) failed(error);
      hasFailed = true;
    });
  };
  const everyMs = watchdogMs(env);
  return {
    ready(words) {
      say("READY=1", `STATUS=${words.replaceAll("\n", " ")}`);
      // A loop that hangs pings nobody: that is the point.
      if (everyMs !== undefined) timer ??= setInterval(() => say("WATCHDOG=1"), everyMs / 2).unref();
    },
    stopping() {
      clearInterval(timer);
      untold = [];
      say("STOPPING=1");
    },
  };
}

/** How long the manager waits for a sign of life of this process; undefined when it does not. */
function watchdogMs(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const usec = Number(env.WATCHDOG_USEC);
  if (!Number.isSafeInteger(usec) || usec < 1000) return undefined;
  if (env.WATCHDOG_PID !== undefined && Number(env.WATCHDOG_PID) !== process.pid) return undefined;
  return usec / 1000;
}
