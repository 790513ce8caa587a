/** What every Showcase port keeps to, real or simulated. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PublishStep } from "../../protocol/contract.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import type { Showcase } from "../../protocol/ports.ts";

export interface ShowcaseFixture {
  /** A start on what is there. */
  open(): Showcase | Promise<Showcase>;
  /** Puts these bytes on the disk of the mirror. */
  put(text: string): Promise<Digest>;
  /** Steps that show an epoch of the channel `stable` with one file `bin/tool`, in order. */
  steps(epoch: number, text: string): Promise<readonly PublishStep[]>;
  /** What clients read of `bin/tool` now; undefined: nothing is shown. */
  read(): Promise<string | undefined>;
  settle(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export function showcaseContract(name: string, make: () => Promise<ShowcaseFixture>): void {
  describe(`${name} keeps the showcase's contract`, () => {
    let fixture: ShowcaseFixture;
    beforeEach(async () => {
      fixture = await make();
    });
    afterEach(() => fixture.close());

    const run = async (showcase: Showcase, step: PublishStep) => {
      let ended: { readonly error: { readonly code: string } | undefined } | undefined;
      showcase.run(step, (error) => {
        ended = { error };
      });
      await fixture.settle(() => ended !== undefined);
      return ended!.error;
    };
    const publish = async (showcase: Showcase, steps: readonly PublishStep[]) => {
      for (const step of steps) expect(await run(showcase, step), step.step).toBe(undefined);
    };

    it("shows nothing before the first switch, and an epoch whole after it", async () => {
      const showcase = await fixture.open();
      expect(showcase.restored()).toEqual([]);
      for (const step of await fixture.steps(1, "one")) {
        expect(await fixture.read()).toBe(undefined);
        await publish(showcase, [step]);
      }
      expect(await fixture.read()).toBe("one");
    });

    it("goes on showing what it showed until the switch, which another start may do", async () => {
      await publish(await fixture.open(), await fixture.steps(1, "one"));
      const steps = await fixture.steps(2, "two");
      const second = await fixture.open();
      for (const step of steps.slice(0, -1)) {
        await publish(second, [step]);
        expect(await fixture.read()).toBe("one");
      }
      const again = await fixture.open();
      expect(again.restored()).toEqual([{ channel: "stable", epochs: [1, 2], current: 1 }]);
      await publish(again, steps.slice(-1));
      expect(await fixture.read()).toBe("two");
      expect((await fixture.open()).restored()).toEqual([{ channel: "stable", epochs: [1, 2], current: 2 }]);
    });

    it("forgets at a start what was begun and not kept", async () => {
      const showcase = await fixture.open();
      await publish(showcase, (await fixture.steps(1, "one")).slice(0, -2));
      const again = await fixture.open();
      expect(again.restored().flatMap(({ epochs }) => epochs)).toEqual([]);
    });

    it("removes an old epoch, and the one that is shown stays", async () => {
      const showcase = await fixture.open();
      await publish(showcase, await fixture.steps(1, "one"));
      await publish(showcase, await fixture.steps(2, "two"));
      await publish(showcase, [{ step: "remove", channel: "stable", epoch: 1 }]);
      expect(await fixture.read()).toBe("two");
      expect((await fixture.open()).restored()).toEqual([{ channel: "stable", epochs: [2], current: 2 }]);
    });

    it("takes a step that was done before once more", async () => {
      const showcase = await fixture.open();
      const steps = await fixture.steps(1, "one");
      await publish(showcase, [steps[0]!, ...steps, steps.at(-1)!]);
      await publish(showcase, [
        { step: "remove", channel: "stable", epoch: 9 },
        { step: "remove", channel: "stable", epoch: 9 },
      ]);
      expect(await fixture.read()).toBe("one");
    });

    it("names a file that the disk lacks, and shows what it showed", async () => {
      const showcase = await fixture.open();
      await publish(showcase, await fixture.steps(1, "one"));
      await publish(showcase, [{ step: "begin", channel: "stable", epoch: 2 }]);
      const files = [{ path: "a", digest: `${"0".repeat(64)}/3` as Digest }];
      const error = await run(showcase, { step: "fill", channel: "stable", epoch: 2, files });
      expect(error).toMatchObject({ code: "blob-missing", message: "a is not on this disk" });
      expect(await fixture.read()).toBe("one");
    });

    it("ends steps in the order in which they were asked for", async () => {
      const showcase = await fixture.open();
      const ended: string[] = [];
      for (const step of await fixture.steps(1, "one"))
        showcase.run(step, (error) => ended.push(error ? `${step.step} ${error.code}` : step.step));
      await fixture.settle(() => ended.length === 5);
      expect(ended).toEqual(["begin", "fill", "index", "keep", "switch"]);
      expect(await fixture.read()).toBe("one");
    });
  });
}
