/** A command to copy: nothing is done from here, so what can be done is said in words for a terminal. */
import { useEffect, useState } from "preact/hooks";

const saidMs = 1500;
const plain = /^[\w@%+=:,./-]+$/;

/** As a shell takes it. */
const commandLine = (words: readonly string[]): string =>
  ["swarmd", ...words]
    .map((word) => (plain.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");

/** `words`: arguments after `swarmd`. */
export function Command({ words, why }: { words: readonly string[]; why?: string }) {
  const text = commandLine(words);
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (said === "") return;
    const timer = window.setTimeout(() => setSaid(""), saidMs);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setSaid("Mark and copy it");
    }
  };
  return (
    <div class="command">
      <code>{text}</code>
      <button type="button" aria-label={`Copy: ${text}`} onClick={copy}>
        <span role="status">{said === "" ? "Copy" : said}</span>
      </button>
      {why && <span class="quiet">{why}</span>}
    </div>
  );
}
