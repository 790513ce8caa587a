/** Ctrl-C: the first one asks, the second one ends the process at once. */

export interface Interrupt {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** From here on signals end the process as usual. */
  release(): void;
}

export function onInterrupt(): Interrupt {
  const controller = new AbortController();
  const hear = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", hear);
  process.on("SIGTERM", hear);
  return {
    signal: controller.signal,
    release() {
      process.off("SIGINT", hear);
      process.off("SIGTERM", hear);
    },
  };
}
