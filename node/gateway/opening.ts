/** The gateway as the settings want it, or none. */

import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import type { Gateway } from "./gateway.ts";
import { readToken } from "./token.ts";
import type { Views } from "./views.ts";

/** Loaded only where one is wanted: a daemon without has no need of its memory. */
export async function gatewayOf(config: Config, views: Views, log: Log): Promise<Gateway | undefined> {
  const { gatewayListen, gatewayHosts, gatewayTokenFile } = config;
  if (gatewayListen === "no") return undefined;
  const { openGateway } = await import("./gateway.ts");
  const gateway = await openGateway({
    listen: gatewayListen,
    hosts: gatewayHosts,
    ...(gatewayTokenFile === undefined ? {} : { token: await readToken(gatewayTokenFile) }),
    views,
    onFault: (fault, at) => log.error({ err: fault, path: at }, "a request failed by a fault of ours"),
  });
  log.info(
    { url: gateway.url },
    gateway.isNext ? `${gatewayListen} is taken; the gateway took the next port` : "the gateway is open",
  );
  return gateway;
}
