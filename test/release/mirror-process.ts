/**
 * A mirror in a process of its own, to be killed: lays out epoch after epoch, and says each step before and after it. After so many it waits to be
 * killed, or for the end of its input. `node mirror-process.ts DIR LAST MOST`.
 */
import path from "node:path";
import { FilesFormat } from "../../node/release/formats/files.ts";
import { openShowcase } from "../../node/release/showcase.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import type { PublishStep } from "../../protocol/contract.ts";
import { publishSteps } from "./publishing.ts";

/** A reader that is slow is not overtaken by so many. */
const keptEpochs = 10;
const [dir = "", last = "1", most = "1"] = process.argv.slice(2);
const blobs = await openBlobStore(path.join(dir, "blobs"));
const showcase = await openShowcase({ dir: path.join(dir, "shown"), blobs, formats: [new FilesFormat()] });
const run = async (step: PublishStep): Promise<void> => {
  process.stdout.write(`before ${step.step} ${step.epoch}\n`);
  await new Promise<void>((resolve, reject) =>
    showcase.run(step, (error) => (error ? reject(new Error(error.message)) : resolve())),
  );
  process.stdout.write(`after ${step.step} ${step.epoch}\n`);
};

const [shelf] = showcase.restored();
const first = (shelf?.current ?? 0) + 1;
for (let epoch = first; epoch <= Math.min(Number(last), first + Number(most) - 1); epoch++) {
  const steps = await publishSteps(blobs, epoch, "bin/tool", Buffer.from(`epoch ${epoch}\n`.repeat(2000)));
  // One that is whole already needs but the switch.
  for (const step of shelf?.epochs.includes(epoch) ? steps.slice(-1) : steps) await run(step);
  if (epoch > keptEpochs) await run({ step: "remove", channel: "stable", epoch: epoch - keptEpochs });
}
if (first + Number(most) <= Number(last)) process.stdin.resume();
