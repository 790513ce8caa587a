/**
 * The warden: one small shell process per daemon that outlives it. When the daemon is gone, however it went, the pipe closes and
 * the warden kills every process of every action. bubblewrap's pid namespace makes that complete; without it, children that
 * left their session are found by a variable in their environment, which a process may have dropped. A box that is not finished does
 * not end with bubblewrap yet: its first process is killed beside it, as a child of a child.
 */
import type { ChildProcess } from "node:child_process";
import type { KnownProcess } from "../known-process.ts";
import { started } from "../started.ts";

/**
 * Each launcher is a number and when it started (proc(5), field 22): a process that has the number by now, and started at another time, is
 * nobody of ours. Launchers are stopped first, so that none starts another action while they are looked through; the first look only tells who
 * is whose, as long as all parents live. `$1` is the folder that
 * every unboxed action has in TMPDIR or HOME.
 */
const script = `exec 2>/dev/null
dir=$1; launchers=' '; sessions=' '
while read -r word; do
  case $word in
    dismissed) exit 0;;
    -*) word=\${word#-}; case $launchers in *" $word "*) launchers="\${launchers%% $word *} \${launchers#* $word }";; esac;;
    *) launchers="$launchers$word ";;
  esac
done
known=$launchers; launchers=' '
for l in $known; do
  read -r line <"/proc/\${l%:*}/stat" || continue
  set -- \${line##*) }
  [ "\${20}" = "\${l#*:}" ] && launchers="$launchers\${l%:*} "
done
check() {
  [ "$1" = Z ] && return
  case $launchers in *" $2 "*) sessions="$sessions$pid "; found="$found $pid"; return;; esac
  case $sessions in *" $2 "* | *" $4 "*) found="$found $pid";; esac
}
for l in $launchers; do kill -STOP "$l"; done
rounds=0
while [ $rounds -lt 50 ]; do
  rounds=$((rounds + 1)); found=
  for f in /proc/[0-9]*/stat; do
    read -r line <"$f" || continue
    pid=\${line%% *}
    check \${line##*) }
  done
  [ -z "$found" ] && break
  [ $rounds -gt 1 ] && kill -KILL $found
done
for l in $launchers; do kill -KILL "$l"; done
rounds=0
while [ $rounds -lt 10 ]; do
  rounds=$((rounds + 1))
  found=$(grep -slF -e "TMPDIR=$dir/" -e "HOME=$dir/" /proc/[0-9]*/environ)
  [ -z "$found" ] && break
  for f in $found; do f=\${f#/proc/}; kill -KILL "\${f%/environ}"; done
done
`;

const restartMs = 1000;

export interface Warden {
  /** A launcher whose actions are to be killed when the daemon is gone. */
  watch(launcher: KnownProcess): void;
  /** It has ended; its pid may soon be somebody else's. */
  forget(launcher: KnownProcess): void;
  /** The daemon has cleaned up itself. */
  dismiss(): void;
}

/** Starts the warden for actions below `dir` (absolute). If it dies it is started again. */
export function startWarden(dir: string, env: Readonly<Record<string, string>>): Warden {
  const words = new Set<string>();
  let dismissed = false;
  let restart: NodeJS.Timeout | undefined;
  let child = start();

  function start(): ChildProcess {
    const fresh = started("/bin/sh", ["-c", script, "warden", dir], {
      stdio: ["pipe", "ignore", "ignore"],
      env: { ...env },
      cwd: "/",
      detached: true,
    });
    fresh.stdin!.on("error", () => {}); // it died: "exit" tells
    fresh.once("exit", startLater);
    fresh.on("error", startLater); // it could not be started: no "exit" follows
    for (const word of words) fresh.stdin!.write(`${word}\n`);
    return fresh;
  }

  /** While there is no room for another process it is tried again. */
  function startLater() {
    clearTimeout(restart);
    restart = setTimeout(() => {
      if (dismissed) return;
      try {
        child = start();
      } catch {
        startLater();
      }
    }, restartMs);
    restart.unref();
  }

  return {
    watch(launcher) {
      const word = wordOf(launcher);
      if (word === undefined) return;
      words.add(word);
      child.stdin!.write(`${word}\n`);
    },
    forget(launcher) {
      const word = wordOf(launcher);
      if (word !== undefined && words.delete(word)) child.stdin!.write(`-${word}\n`);
    },
    dismiss() {
      dismissed = true;
      clearTimeout(restart);
      child.stdin!.end("dismissed\n");
    },
  };
}

const wordOf = ({ pid, startTicks }: KnownProcess): string | undefined =>
  startTicks === undefined ? undefined : `${pid}:${startTicks}`;
