/** Sends bytes as they are to a listener, and gives back what comes until the other side ends. */
import { connect } from "node:net";

export function raw(url: string, bytes: string): Promise<{ status: number; said: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let said = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      said += text;
    });
    socket.on("close", () => resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(said)?.[1]), said }));
    socket.on("error", reject);
    socket.write(bytes, "latin1");
  });
}
