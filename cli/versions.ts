/** Which members run which version, in words: a swarm works with members one version apart, and goes on best with all on the newest. */
import type { NodeView } from "../node/control/api.ts";
import { differ, partsOf } from "../node/version.ts";
import { compareVersions } from "../protocol/build/version.ts";
import { byText } from "../protocol/kernel/ids.ts";

type Running = Pick<NodeView, "name" | "version" | "vitals">;

/** What a node runs; an older daemon tells it of those alone whose beats it hears. */
export const versionOf = ({ version, vitals }: Pick<NodeView, "version" | "vitals">): string | undefined =>
  version ?? vitals?.version;

/** The newest first; what differs by its commit alone has no order but that of its text. */
const byAge = (a: string, b: string) => compareVersions(partsOf(b).number, partsOf(a).number) || byText(a, b);

/** One line where members run several versions, else undefined: who must be brought to which. One that is away counts by what it said last. */
export function skewText(nodes: readonly Running[]): string | undefined {
  const known = nodes.flatMap((node) => {
    const version = versionOf(node);
    return version ? [{ name: node.name, version }] : [];
  });
  const versions = [...new Set(known.map(({ version }) => version))].sort(byAge);
  const [newest] = versions;
  if (newest === undefined || !versions.some((one) => versions.some((other) => differ(one, other))))
    return undefined;
  const said = versions.map((version) => {
    const names = known.filter((one) => one.version === version).map(({ name }) => name);
    return `${version} on ${names.join(", ")}`;
  });
  const numbers = new Set(versions.map((version) => partsOf(version).number));
  const remedy =
    numbers.size > 1
      ? `bring all to ${partsOf(newest).number}: install it there, then restart the daemon`
      : "bring all to one commit, then restart their daemons";
  return `${versions.length} versions run here: ${said.join("; ")}; ${remedy}`;
}
