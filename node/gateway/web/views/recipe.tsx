/** An action as it was planned: the command as one would type it, its environment, what it reads and what it asks of a node. */
import type { RecipeView } from "../../../control/recipe.ts";
import { Shows } from "../parts.tsx";
import { bytes, count, duration } from "../quantity.ts";
import { linkTo, linkToArtifact, shortHashOf, sizeOf } from "../route.ts";
import { useRead } from "../use-read.ts";

const inputsShown = 40;

export function Recipe({ build, action }: { build: string; action: string }) {
  const reading = useRead<RecipeView>(`/builds/${build}/recipe?${new URLSearchParams({ action })}`, {
    everyMs: 0,
    // Inputs are made meanwhile.
    on: (line) => line.build === build && (line.kind === "done" || line.kind === "cached"),
    apartMs: 2000,
  });
  return <Shows reading={reading}>{(recipe) => <Known build={build} recipe={recipe} />}</Shows>;
}

function Known({ build, recipe }: { build: string; recipe: RecipeView }) {
  const { argv, env, secrets, target, requires, toolchains, inputs, inputCount } = recipe;
  const variables = Object.entries(env);
  const { cpus, memoryBytes, diskBytes, labels } = requires;
  const asks = [
    `${cpus} ${cpus === 1 ? "slot" : "slots"}`,
    ...(memoryBytes === undefined ? [] : [`${bytes(memoryBytes)} memory`]),
    ...(diskBytes === undefined ? [] : [`${bytes(diskBytes)} disk`]),
    ...(target === undefined ? [] : [`for ${target}`]),
    ...labels,
  ];
  const limits = [
    `${duration(recipe.timeoutMs)} in all`,
    ...(recipe.silenceMs > 0 ? [`${duration(recipe.silenceMs)} without a word`] : []),
    `${recipe.attemptsMax} ${recipe.attemptsMax === 1 ? "attempt" : "attempts"}`,
    ...(recipe.cache ? [] : ["never from the cache"]),
  ];
  return (
    <>
      <section>
        <h3>Command</h3>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
        <pre class="log argv" tabIndex={0}>
          {argv.map(quoted).join(" ")}
        </pre>
        <p class="quiet">
          In the root of its workspace. Asks for {asks.join(", ")}; at most {limits.join(", ")}.
        </p>
      </section>
      <section>
        <h3>Environment</h3>
        {variables.length === 0 && secrets.length === 0 ? (
          <p class="quiet">What every action has, and nothing else.</p>
        ) : (
          <ul class="plain">
            {variables.map(([name, value]) => (
              <li key={name}>
                <code>{`${name}=${quoted(value)}`}</code>
              </li>
            ))}
            {secrets.map((name) => (
              <li key={name}>
                <code>{name}</code> <span class="quiet">a secret: its value is on the nodes alone</span>
              </li>
            ))}
          </ul>
        )}
      </section>
      {Object.keys(toolchains).length > 0 && (
        <section>
          <h3>Toolchains</h3>
          <ul class="plain">
            {Object.entries(toolchains).map(([name, fingerprint]) => (
              <li key={name} title={fingerprint}>
                {name} {toolchainText(fingerprint)}
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h3>
          Inputs <span class="quiet">{count(inputCount)}</span>
        </h3>
        <ul class="plain">
          {inputs.slice(0, inputsShown).map(({ path, from, digest }) => (
            <li key={path}>
              {digest ? <a href={linkToArtifact(digest)}>{path}</a> : path}{" "}
              {from !== undefined && (
                <span class="quiet">
                  of <a href={linkTo(["builds", build], { action: from })}>{from}</a>{" "}
                </span>
              )}
              {digest ? <Hash digest={digest} /> : <span class="quiet">{from ? "" : "not known"}</span>}
            </li>
          ))}
          {inputCount > inputsShown && <li class="quiet">and {count(inputCount - inputsShown)} more</li>}
        </ul>
      </section>
    </>
  );
}

/** The beginning of a digest, and the size that stands in it. */
export function Hash({ digest }: { digest: string }) {
  return (
    <span class="quiet" title={digest}>
      <code>{shortHashOf(digest)}</code> {bytes(sizeOf(digest))}
    </span>
  );
}

/** `VERSION/TARGET/…`, as far as it says so; any other text as it is. */
function toolchainText(fingerprint: string) {
  const [version, target, ...said] = fingerprint.split("/");
  if (!version || said.length === 0) return <code>{fingerprint}</code>;
  return (
    <>
      {version} {target && <span class="quiet">for {target}</span>}
    </>
  );
}

/** As a shell would take it. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
