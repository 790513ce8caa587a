/**
 * Asks a gateway for as much as it gives, or listens to what it tells, from a process of its own: `load.ts requests URL SECONDS CONNECTIONS`,
 * `load.ts listeners URL SECONDS CLIENTS`. One line of JSON when it is under way, one when it is over.
 */
import { connect } from "node:net";

const [what = "", address = "", seconds = "1", count = "1"] = process.argv.slice(2);
const { hostname, port, pathname, host } = new URL(address);
const head = `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
const endMs = performance.now() + Number(seconds) * 1000;

/** One request after the other on one connection; how many were answered. The parser knows no more of HTTP than this server uses. */
function requests(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(head));
    let answered = 0;
    let text = "";
    let length = -1;
    let left = 0;
    let isLast = false;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => {
      let at = 0;
      while (at < bytes.length) {
        if (length < 0) {
          text += bytes.toString("latin1", at);
          const end = text.indexOf("\r\n\r\n");
          if (end < 0) return;
          if (!text.startsWith("HTTP/1.1 200")) return void socket.destroy(new Error(text.slice(0, 60)));
          isLast = /\r\nconnection: close\r\n/i.test(text.slice(0, end + 2));
          length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))![1]);
          at = bytes.length - (text.length - end - 4);
          text = "";
          left = length;
          continue;
        }
        const taken = Math.min(left, bytes.length - at);
        left -= taken;
        at += taken;
        if (left > 0) return;
        length = -1;
        answered++;
        // A server that ends a connection after so many requests is asked on another.
        if (isLast || performance.now() >= endMs) {
          socket.destroy();
          return resolve(answered);
        }
        socket.write(head);
      }
    });
    socket.on("end", () => resolve(answered));
    socket.on("error", reject);
  });
}

async function asking(): Promise<number> {
  let answered = 0;
  while (performance.now() < endMs) answered += await requests();
  return answered;
}

/** Milliseconds between an event's own moment and its arrival, of all that came. */
function listening(delays: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(head));
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const atMs = /"atMs":(\d+)/.exec(text.slice(0, end))?.[1];
        if (atMs !== undefined) delays.push(Date.now() - Number(atMs));
        text = text.slice(end + 2);
      }
    });
    socket.on("error", reject);
    setTimeout(
      () => {
        socket.destroy();
        resolve();
      },
      Math.max(0, endMs - performance.now()),
    );
  });
}

const startedMs = performance.now();
say({ begun: true });
if (what === "requests") {
  const all = await Promise.all(Array.from({ length: Number(count) }, asking));
  const answered = all.reduce((sum, one) => sum + one, 0);
  say({ answered, perSecond: (answered * 1000) / (performance.now() - startedMs) });
} else {
  const delays: number[] = [];
  await Promise.all(Array.from({ length: Number(count) }, () => listening(delays)));
  delays.sort((a, b) => a - b);
  const at = (share: number) => delays[Math.floor(delays.length * share)] ?? Number.NaN;
  say({ events: delays.length, p50Ms: at(0.5), p99Ms: at(0.99), perSecond: delays.length / Number(seconds) });
}
