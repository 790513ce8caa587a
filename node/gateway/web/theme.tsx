/** Light or dark: as the system has it, or as it was chosen here. */
import { useEffect, useState } from "preact/hooks";

const key = "swarmd.theme";
const choices = ["auto", "light", "dark"] as const;
type Choice = (typeof choices)[number];

function kept(): Choice {
  const found = localStorage.getItem(key);
  return choices.find((choice) => choice === found) ?? "auto";
}

export function Theme() {
  const [choice, setChoice] = useState<Choice>(kept);
  useEffect(() => {
    if (choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    localStorage.setItem(key, choice);
    dispatchEvent(new Event("theme"));
  }, [choice]);
  return (
    <select
      class="theme"
      aria-label="Colours"
      title="Colours: as the system has them, light or dark"
      value={choice}
      onChange={(e) => setChoice(e.currentTarget.value as Choice)}
    >
      <option value="auto">Auto</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}
