import type { WrittenText } from "../../index.ts";

export interface TextStream {
  write(written: WrittenText): void;
  /** Ends the line, once nothing more comes. */
  end(): void;
}

/** Texts as they are written, each below its prompt; a text comes before that of a later prompt. */
export function textStream(
  stream: Pick<NodeJS.WriteStream, "write">,
  prompts: readonly string[],
): TextStream {
  let shown = 0;
  // A prompt whose text is empty is shown with those around it.
  const showUpTo = (prompt: number) => {
    for (; shown <= prompt; shown += 1) {
      stream.write(`${shown === 0 ? "" : "\n\n"}> ${prompts[shown] ?? ""}\n`);
    }
  };
  return {
    write({ prompt, text }) {
      showUpTo(prompt);
      stream.write(text);
    },
    end() {
      if (shown > 0) stream.write("\n\n");
    },
  };
}
