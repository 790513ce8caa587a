/** A thread beside a query: when the daemon that asked is gone, it ends the process, which may be inside one long step of SQLite and hear nothing. */

const daemon = process.ppid;
const lookMs = 500;

setInterval(() => {
  if (process.ppid !== daemon) process.kill(process.pid, "SIGKILL");
}, lookMs);
