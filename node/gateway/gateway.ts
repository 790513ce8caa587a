/** The gateway of a daemon: HTTP for people's browsers and their tools. It only reads, and its types know nothing else. */
import type { ServerResponse } from "node:http";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { isLoopbackAddress, openListener } from "../listener.ts";
import type { App } from "./app.ts";
import { builtPage, isPublic } from "./assets.ts";
import { type Refusal, refusalOf } from "./door.ts";
import { commandFor } from "./former.ts";
import type { Views } from "./views.ts";

/** A second daemon on one machine takes the next free port of these. */
const portsMore = 20;

export interface GatewayOptions {
  /** `host:port`. */
  readonly listen: string;
  /** Names beside localhost under which it may be asked for. */
  readonly hosts: readonly string[];
  /** Without one only this machine is listened to. */
  readonly token?: string;
  readonly views: Views;
  /** Folder of the built dashboard; absent: the one that comes with the program. */
  readonly page?: string;
  /** Hears of what is no refusal: a fault of ours. */
  readonly onFault: (fault: unknown, path: string) => void;
}

export interface Gateway {
  /** `http://127.0.0.1:4780`. */
  readonly url: string;
  /** Another than it was told to take: that one was taken. */
  readonly isNext: boolean;
  close(): Promise<void>;
}

/** Throws `usage`, `address-in-use`. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const { listen, hosts, token, views, page = builtPage, onFault } = options;
  if (token === undefined && !isLoopbackAddress(listen))
    throw new SwarmError("usage", `the gateway would be open to all who reach ${listen}`, {
      remedy:
        "set a token: gatewayTokenFile in config.yaml, a file with 16 characters or more; or listen on 127.0.0.1",
    });
  // Loaded with the first request: most daemons are never asked.
  let app: Promise<App> | undefined;
  let ready: App | undefined;
  const opened = () => {
    app ??= import("./app.ts")
      .then(({ openApp }) => {
        ready = openApp(views, page, onFault);
        return ready;
      })
      .catch((fault: unknown) => {
        app = undefined;
        throw fault;
      });
    return app;
  };
  const rules = { hosts, ...(token === undefined ? {} : { token }) };
  const listener = await openListener({
    listen,
    flag: "--gateway-listen",
    portsMore,
    answer(request, response) {
      const refused = refusalOf(request, rules, isPublic);
      if (refused === undefined && ready?.answersAgain(request, response, headers)) return;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      const [path = ""] = (request.url ?? "").split("?", 1);
      if (refused === undefined)
        return opened().then(
          ({ answer }) => answer(request, response),
          (fault: unknown) => {
            onFault(fault, path);
            refuse(response, unready);
          },
        );
      const command = refused.status === 405 ? commandFor(path) : undefined;
      refuse(response, command === undefined ? refused : { ...refused, remedy: command });
    },
  });
  return {
    url: `http://${reachable(listener.address)}`,
    isNext: !listener.address.endsWith(listen.slice(listen.lastIndexOf(":"))) && !listen.endsWith(":0"),
    async close() {
      await app?.then(
        (one) => one.close(),
        () => {},
      );
      await listener.close();
    },
  };
}

/** Its code is read with the first request: it may have been replaced since the start. */
const unready: Refusal = {
  status: 500,
  code: "refused",
  message: "this daemon could not load what answers",
  remedy: "its log says why; if the program was replaced meanwhile, start the daemon again",
};

function refuse(response: ServerResponse, { status, ...error }: Refusal): void {
  const body = Buffer.from(JSON.stringify({ error }));
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": body.length,
    Connection: "close",
    ...(status === 405 ? { Allow: "GET, HEAD" } : {}),
    ...(status === 401 ? { "WWW-Authenticate": 'Bearer realm="swarmd"' } : {}),
  });
  response.end(body);
}

/** Where all addresses are listened to, nobody is called by the address of all. */
const reachable = (address: string): string =>
  address.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");

/** Of every answer. */
const headers = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy":
    "default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'; object-src 'none'",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-store",
};
