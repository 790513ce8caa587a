/** Dependency texts of Gentoo packages (PMS 8.2): conditions on USE flags are settled, groups stay, and what does not balance is refused. */
import { malformed, shown } from "./tar-members.ts";

const tokensMax = 100_000;
const depthMax = 64;

/** The text that holds for a package built with `use`. Throws `malformed`. */
export function settled(text: string, use: ReadonlySet<string>): string {
  const tokens = text.split(" ").filter(Boolean);
  if (tokens.length > tokensMax) throw malformed("it has more dependencies than any package has");
  let at = 0;
  const group = (depth: number): string[] => {
    if (depth > depthMax) throw malformed("its dependencies nest deeper than any package's");
    const out: string[] = [];
    while (at < tokens.length) {
      const token = tokens[at++]!;
      if (token === ")") {
        if (depth === 0) throw malformed(`its dependencies do not balance: ${shown(text.slice(0, 80))}`);
        return out;
      }
      const condition = /^(!?)([A-Za-z0-9][A-Za-z0-9+_@-]*)\?$/.exec(token);
      const opens = token === "(" || isGroup(token) || condition !== null;
      if (!opens) {
        if (
          token.includes("(")
            ? !/\[[^\]]*\([+-]\)[^\]]*\]$/.test(token)
            : /[?)]$/.test(token) && !token.endsWith("]")
        )
          throw malformed(`its dependencies have a word that is none: ${shown(token)}`);
        out.push(token);
        continue;
      }
      if (token !== "(" && tokens[at++] !== "(")
        throw malformed(`nothing follows ${shown(token)} in its dependencies`);
      const inner = group(depth + 1);
      if (condition && use.has(condition[2]!) === (condition[1] === "!")) continue;
      if (condition || token === "(")
        out.push(...(token === "(" && inner.length > 1 ? ["(", ...inner, ")"] : inner));
      else if (inner.length > 0) out.push(token, "(", ...inner, ")");
    }
    if (depth > 0) throw malformed(`its dependencies do not balance: ${shown(text.slice(0, 80))}`);
    return out;
  };
  return group(0).join(" ");
}

const isGroup = (token: string): boolean => token === "||" || token === "^^" || token === "??";
