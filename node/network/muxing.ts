/**
 * How many streams share one connection: by yamux. A stream is opened a moment after it was made; when the connection went in that moment, yamux
 * 8.0 throws where nobody can catch it, which would end the process: here the stream is aborted, and whoever made it hears of that.
 */
import type { StreamMuxerFactory } from "@libp2p/interface";
import { yamux } from "@libp2p/yamux";

/** How often the way there and back is measured. */
const roundTripMs = 300_000;

type Yamux = ReturnType<ReturnType<ReturnType<typeof yamux>>["createStreamMuxer"]>;

export const muxing = () => (): StreamMuxerFactory<Yamux> => {
  const factory = yamux({
    // a paused stream buffers up to its window, which must stay below maxReadBufferLength (4 MiB)
    streamOptions: { maxStreamWindowSize: 2 << 20 },
    // by its answer windows grow; who lives is judged elsewhere
    keepAliveInterval: roundTripMs,
  })();
  return {
    protocol: factory.protocol,
    createStreamMuxer: (connection) => openingSafely(factory.createStreamMuxer(connection)),
  };
};

function openingSafely(muxer: Yamux): Yamux {
  const create = muxer.onCreateStream.bind(muxer);
  muxer.onCreateStream = () => {
    const stream = create();
    const say = stream.sendWindowUpdate.bind(stream);
    stream.sendWindowUpdate = () => {
      try {
        say();
      } catch (cause) {
        stream.abort(cause instanceof Error ? cause : new Error(String(cause)));
      }
    };
    return stream;
  };
  return muxer;
}
