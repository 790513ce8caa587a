/** How much longer than its place a stretch of time is drawn. */
const zooms = [1, 2, 4, 8, 16, 32];

export function Zoom({ times, onTimes }: { times: number; onTimes: (times: number) => void }) {
  return (
    <label>
      Zoom{" "}
      <select value={times} onChange={(e) => onTimes(Number(e.currentTarget.value))}>
        {zooms.map((one) => (
          <option key={one} value={one}>
            {one}×
          </option>
        ))}
      </select>
    </label>
  );
}
