/** The text of a log as it comes, the last of it where it is long. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, Refused } from "./source.ts";

/** More is for `swarmd logs`. */
const charsMax = 256 << 10;

export function LogText({ path, tall = false }: { path: string; tall?: boolean }) {
  const [state, setState] = useState<{ text: string; isCut: boolean; isOver: boolean; refused?: Refused }>({
    text: "",
    isCut: false,
    isOver: false,
  });
  const at = useRef<HTMLPreElement>(null);
  const pinned = useRef(true);
  useEffect(() => {
    const over = new AbortController();
    let text = "";
    let isCut = false;
    let frame = 0;
    const show = (isOver: boolean, refused?: Refused) => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => setState({ text, isCut, isOver, refused }));
    };
    const run = async () => {
      const answer = await ask(path, over.signal);
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return show(true);
        text += value;
        if (text.length > charsMax) {
          text = text.slice(text.indexOf("\n", text.length - charsMax) + 1);
          isCut = true;
        }
        show(false);
      }
    };
    run().catch((fault: unknown) => {
      if (!over.signal.aborted) show(true, fault instanceof Refused ? fault : undefined);
    });
    return () => {
      over.abort();
      cancelAnimationFrame(frame);
    };
  }, [path]);
  useEffect(() => {
    const pre = at.current;
    if (pre && pinned.current) pre.scrollTop = pre.scrollHeight;
  });
  const { text, isCut, isOver, refused } = state;
  if (refused) return <p class="quiet">No log: {refused.message}.</p>;
  if (text === "") return <p class="quiet">{isOver ? "It said nothing." : "Nothing yet…"}</p>;
  return (
    <>
      {isCut && <p class="quiet">The end of it; all of it: swarmd logs</p>}
      <pre
        ref={at}
        class={tall ? "log tall" : "log"}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        tabIndex={0}
        onScroll={(e) => {
          const { scrollTop, scrollHeight, clientHeight } = e.currentTarget;
          pinned.current = scrollTop + clientHeight >= scrollHeight - 8;
        }}
      >
        {text}
      </pre>
    </>
  );
}
