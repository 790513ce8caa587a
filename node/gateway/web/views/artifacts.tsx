/** One artifact: what it is, where it comes from, who holds it. */
import { useState } from "preact/hooks";
import type { ArtifactView, HolderView } from "../../../control/api.ts";
import type { SqlAnswer } from "../../../control/data.ts";
import { Empty, Facts, Shows, Sign, Table, Title, Trouble } from "../parts.tsx";
import { bytes, measured, moment } from "../quantity.ts";
import { linkTo, linkToArtifact, shortHashOf } from "../route.ts";
import { ask, Refused } from "../source.ts";
import { nodeStates } from "../states.ts";
import { useRead } from "../use-read.ts";

/** A browser keeps it in memory while it comes. */
const savedBytesMax = 1 << 30;

export function Artifacts({ word }: { word: string | undefined }) {
  const [text, setText] = useState(word ?? "");
  return (
    <>
      <Title>Artifacts</Title>
      <form
        class="tools"
        onSubmit={(e) => {
          e.preventDefault();
          if (text.trim() !== "") location.hash = linkTo(["artifacts", text.trim().split("/")[0]!]);
        }}
      >
        <input
          type="search"
          aria-label="CID or sha2-256"
          placeholder="CID or sha2-256"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <button type="submit">Look up</button>
      </form>
      {word === undefined ? <Lately /> : <One word={word} />}
    </>
  );
}

/** By SQL, as anybody could ask it: what the newest results are. */
const lately = `select digest, path, build, action, node, size_bytes, at_ms
from artifacts where kind = 'file' order by at_ms desc limit 50`;

function Lately() {
  const reading = useRead<SqlAnswer>(`/sql/query?${new URLSearchParams({ q: lately })}`, { everyMs: 0 });
  return (
    <>
      <h2>Made lately</h2>
      <Shows reading={reading}>
        {(answer) =>
          answer.rows.length === 0 ? (
            <Empty>Nothing was made yet: outputs of actions stand here.</Empty>
          ) : (
            <Table
              label="Made lately"
              head={["Artifact", ["Size", "number"], "Place", "Build", "Action", "Made by", "At"]}
            >
              {answer.rows.map(([digest, path, build, action, node, size, atMs]) => (
                <tr key={`${digest} ${build} ${action} ${path} ${node}`}>
                  <td>
                    <a href={linkToArtifact(String(digest))}>{shortHashOf(String(digest))}</a>
                  </td>
                  <td class="number">{bytes(Number(size))}</td>
                  <td class="wrap">{path}</td>
                  <td>
                    <a href={linkTo(["builds", String(build)], { action: String(action) })}>{build}</a>
                  </td>
                  <td>{action}</td>
                  <td>{node}</td>
                  <td>{moment(Number(atMs))}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Shows>
    </>
  );
}

function One({ word }: { word: string }) {
  const path = `/artifacts/${encodeURIComponent(word)}`;
  const artifact = useRead<ArtifactView>(path, { everyMs: 5000 });
  const holders = useRead<HolderView[]>(artifact.value && `${path}/holders`, { everyMs: 0 });
  return (
    <Shows reading={artifact}>
      {(value) => (
        <>
          <Facts
            of={[
              ["kind", value.kind],
              ["size", bytes(value.sizeBytes)],
              ["here", value.hereBytes === value.sizeBytes ? "whole" : `${bytes(value.hereBytes)} of it`],
              ["CID", <code key="c">{value.cid}</code>],
              ["sha2-256", <code key="d">{value.digest.split("/")[0]}</code>],
            ]}
          />
          <Save artifact={value} />
          <h2>Comes from</h2>
          {value.origins.length === 0 ? (
            <Empty>No build that this node knows speaks of it.</Empty>
          ) : (
            <Table label="Where it comes from" head={["Build", "Action", "Place", "Made by"]}>
              {value.origins.map(({ build, action, path, nodes }) => (
                <tr key={`${build} ${action} ${path}`}>
                  <td>
                    <a href={linkTo(["builds", build], { action })}>{build}</a>
                  </td>
                  <td>{action ?? <span class="quiet">submitted</span>}</td>
                  <td class="wrap">{path}</td>
                  <td>{nodes.join(", ")}</td>
                </tr>
              ))}
            </Table>
          )}
          <h2>Held by</h2>
          <Shows reading={holders}>
            {(all) =>
              all.length === 0 ? (
                <Empty>Nobody is known to hold it.</Empty>
              ) : (
                <Table
                  label="Who holds it"
                  head={["Node", "State", "Holds it", "Known by", ["Answered in", "number"]]}
                >
                  {all.map((holder) => (
                    <tr key={holder.peerId}>
                      <th scope="row">{holder.node}</th>
                      <td>
                        <Sign of={nodeStates[holder.state]} />
                      </td>
                      <td>
                        {holder.holds}
                        {holder.corrupt + holder.lied > 0 && (
                          <span class="bad"> gave wrong bytes before</span>
                        )}
                      </td>
                      <td>{holder.by.join(", ")}</td>
                      <td class="number">{measured(holder.latencyMs, "ms", 1)}</td>
                    </tr>
                  ))}
                </Table>
              )
            }
          </Shows>
        </>
      )}
    </Shows>
  );
}

/** By script: a plain link could not show the token. */
function Save({ artifact: { cid, sizeBytes, kind, origins } }: { artifact: ArtifactView }) {
  const [state, setState] = useState<"idle" | "comes" | Refused>("idle");
  if (kind === "folder" || sizeBytes > savedBytesMax)
    return (
      <p class="quiet">
        To have it: <code>swarmd artifact get {cid}</code>
      </p>
    );
  const save = async () => {
    setState("comes");
    try {
      const blob = await (await ask(`/ipfs/${cid}?format=raw`)).blob();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = origins[0]?.path.split("/").at(-1) ?? cid;
      link.click();
      URL.revokeObjectURL(link.href);
      setState("idle");
    } catch (fault) {
      setState(fault instanceof Refused ? fault : new Refused(0, "refused", String(fault), ""));
    }
  };
  return (
    <p>
      <button type="button" disabled={state === "comes"} onClick={save}>
        {state === "comes" ? "It comes…" : "Save"}
      </button>
      {state instanceof Refused && <Trouble refused={state} />}
    </p>
  );
}
