/**
 * Loaded before a daemon (`--import`): all that it puts on the wire is kept in a file in `$WIRETAP`, as it is before it is encrypted, and what it
 * presses as it was before that.
 */
import { appendFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import path from "node:path";
import { TLSSocket } from "node:tls";
import zlib from "node:zlib";

const file = path.join(process.env.WIRETAP!, `${process.pid}`);
const keep = (bytes: unknown) => {
  if (typeof bytes === "string" || bytes instanceof Uint8Array) appendFileSync(file, bytes);
};

const { write } = net.Socket.prototype;
net.Socket.prototype.write = function (this: net.Socket, ...args: unknown[]) {
  // the control socket is no wire
  if (this instanceof TLSSocket || this.remoteAddress !== undefined) keep(args[0]);
  return Reflect.apply(write, this, args) as boolean;
};

const { deflateRawSync } = zlib;
zlib.deflateRawSync = (bytes, options) => {
  keep(bytes);
  return deflateRawSync(bytes, options);
};
syncBuiltinESMExports();
