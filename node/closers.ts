/** What is open of a node, to be closed in the end: the last first, and each whatever becomes of the others. */

export class Closers {
  private readonly open: (() => unknown)[] = [];

  push(close: () => unknown): void {
    this.open.push(close);
  }

  /** Never rejects: `failed` hears of what could not be closed. Nothing is closed twice. */
  async close(failed: (error: unknown) => void): Promise<void> {
    for (let next = this.open.pop(); next; next = this.open.pop())
      try {
        await next();
      } catch (error) {
        failed(error);
      }
  }
}
