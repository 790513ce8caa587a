/** A number as a small bar beside it: scores, their parts, shares. */
import { unknown } from "./quantity.ts";

export function Score({
  value,
  most,
  text,
}: {
  value: number | undefined;
  most: number;
  /** In place of two digits after the point. */
  text?: string;
}) {
  if (value === undefined) return <span class="score quiet">{unknown}</span>;
  const share = Math.min(100, (100 * Math.abs(value)) / most);
  return (
    <span class="score">
      <span class="gauge" aria-hidden="true">
        <span class={value < 0 ? "less" : ""} style={{ width: `${share}%` }} />
      </span>
      <span class="figure narrow">{text ?? value.toFixed(2)}</span>
    </span>
  );
}

/** What a score was made of, the largest first. */
export function Parts({ parts }: { parts: Readonly<Record<string, number>> }) {
  const sorted = Object.entries(parts).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const most = Math.max(0.01, ...sorted.map(([, value]) => Math.abs(value)));
  return (
    <table class="parts">
      <tbody>
        {sorted.map(([part, value]) => (
          <tr key={part}>
            <th scope="row">{part}</th>
            <td>
              <Score value={value} most={most} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A candidate's cell in its row: its name, and whether it was the one. */
export function Contender({ node, chosen }: { node: string; chosen?: boolean | undefined }) {
  return (
    <th scope="row">
      {node}{" "}
      {chosen && (
        <span class="sign ok" role="img" aria-label="chosen" title="chosen">
          ✓
        </span>
      )}
    </th>
  );
}
