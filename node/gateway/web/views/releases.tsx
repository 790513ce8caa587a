/** Channels: which epoch each is at, what waits to be released, who votes and who serves. */
import type { ChannelView, MirrorView, ReleasesView } from "../../../control/publishing.ts";
import { Command } from "../command.tsx";
import { Empty, Facts, Shows, Sign, Table, Title } from "../parts.tsx";
import { bytes, count, moment } from "../quantity.ts";
import { linkTo } from "../route.ts";
import { nodeStates } from "../states.ts";
import { useRead } from "../use-read.ts";

export function Releases() {
  const reading = useRead<ReleasesView>("/releases", {
    everyMs: 10_000,
    on: ({ kind }) => kind.startsWith("release.") || kind.startsWith("mirror."),
  });
  return (
    <>
      <Title>Releases</Title>
      <Shows reading={reading}>
        {({ channels, mirrors }) => (
          <>
            {channels.length === 0 && (
              <Empty>
                Nothing was staged yet: a spec with <code>release</code> does, and then{" "}
                <code>swarmd verify</code>.
              </Empty>
            )}
            {channels.map((channel) => (
              <Channel key={channel.channel} channel={channel} />
            ))}
            {mirrors.length > 0 && <Mirrors mirrors={mirrors} />}
          </>
        )}
      </Shows>
    </>
  );
}

/** As commands take it: `stable` is meant where nothing is said. */
const ofChannel = (channel: string): readonly string[] =>
  channel === "stable" ? [] : ["--channel", channel];

function Channel({
  channel: { channel, current, voters, atRisk, hindered, pinned, epochs, conflicts, staged },
}: {
  channel: ChannelView;
}) {
  return (
    <section class="channel">
      <h2>{channel}</h2>
      <Facts
        of={[
          ["epoch", current === 0 ? "none" : String(current)],
          ["files staged", count(staged.reduce((sum, { items }) => sum + items, 0))],
          [
            "votes on the next",
            voters.length === 0
              ? "nobody"
              : voters.map(({ node, peerId, state }) => (
                  <span key={peerId} class="voter">
                    {node} <Sign of={nodeStates[state]} />
                  </span>
                )),
          ],
        ]}
      />
      {pinned && (
        <p>
          Pinned to its epoch by {pinned.by}
          {pinned.reason ? `: ${pinned.reason}` : ""}.
        </p>
      )}
      {atRisk && <p class="bad">{atRisk}</p>}
      {hindered && <p class="bad">{hindered}</p>}
      {conflicts.length > 0 && (
        <p class="bad">Voters signed two releases for epoch {conflicts.join(", ")}.</p>
      )}
      {staged.length > 0 && <Staged channel={channel} staged={staged} />}
      {epochs.length > 0 && (
        <Table label={`Epochs of ${channel}`} head={["Epoch", "At", "By", ["Votes", "number"], "Shown by"]}>
          {epochs.toReversed().map((epoch) => (
            <tr key={epoch.epoch}>
              <th scope="row">
                <a href={linkTo(["releases", channel, String(epoch.epoch)])}>
                  {epoch.epoch}
                  {epoch.epoch === current ? " (current)" : ""}
                </a>
              </th>
              <td>{moment(epoch.atMs)}</td>
              <td>{epoch.by}</td>
              <td class="number">
                {epoch.votes.length}/{epoch.voters.length}
              </td>
              <td class="wrap">{epoch.shownBy.join(", ") || <span class="quiet">no mirror</span>}</td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

const pathsMax = 200;

/** To judge it reads every file, and stands in nobody's way only where a person wants it: so it is a command. */
function Staged({ channel, staged }: { channel: string; staged: ChannelView["staged"] }) {
  return (
    <>
      <Table
        label={`Staged for ${channel}`}
        head={["Staged", ["Files", "number"], ["Size", "number"], "By", "Missing here", "What"]}
      >
        {staged.map((one) => (
          <tr key={one.build}>
            <th scope="row">
              <a href={linkTo(["builds", one.build])}>{one.build}</a>
            </th>
            <td class="number">{count(one.items)}</td>
            <td class="number">{bytes(one.bytes)}</td>
            <td>{one.stagedBy}</td>
            <td>
              {one.waitsFor ??
                (one.missingHere > 0 ? `${one.missingHere} files, ${bytes(one.missingBytes)}` : "nothing")}
            </td>
            <td class="wrap">
              {one.paths.length > 0 && (
                <details>
                  <summary>{one.paths[0]}</summary>
                  <ul class="plain">
                    {one.paths.slice(1, pathsMax).map((path) => (
                      <li key={path}>{path}</li>
                    ))}
                    {one.paths.length > pathsMax && (
                      <li class="quiet">and {count(one.paths.length - pathsMax)} more</li>
                    )}
                  </ul>
                </details>
              )}
            </td>
          </tr>
        ))}
      </Table>
      <Command words={["verify", ...ofChannel(channel)]} why="judges it: the risk, in parts" />
      <Command words={["finalize", ...ofChannel(channel)]} why="makes it the next epoch" />
    </>
  );
}

function Mirrors({ mirrors }: { mirrors: readonly MirrorView[] }) {
  return (
    <section class="channel">
      <h2>Mirrors</h2>
      <Table label="Mirrors" head={["Mirror", "State", "Votes", "Shows"]}>
        {mirrors.map(({ node, peerId, state, votes, shows }) => (
          <tr key={peerId}>
            <th scope="row">{node}</th>
            <td>
              <Sign of={nodeStates[state]} />
            </td>
            <td>{votes ? "yes" : "no"}</td>
            <td class="wrap">
              {shows.map(({ channel, epoch, of, lags }) => (
                <div key={channel} class={epoch < of ? "bad" : ""}>
                  {channel} {epoch}
                  {epoch < of ? ` of ${of}` : ""}
                  {lags ? `: ${lags}` : ""}
                </div>
              ))}
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
