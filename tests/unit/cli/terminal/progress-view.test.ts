import { WriteStream } from "node:tty";
import { expect, test } from "vitest";
import { progressView } from "../../../../src/cli/terminal/progress-view.ts";

/** A terminal that keeps what is written to it. */
function terminal(): { stream: WriteStream; shown: () => string } {
  let text = "";
  const stream = Object.create(WriteStream.prototype, {
    isTTY: { value: true },
    columns: { value: 100 },
    write: {
      value: (part: string) => {
        text += part;
        return true;
      },
    },
    cursorTo: { value: () => true },
    clearLine: { value: () => true },
  }) as WriteStream;
  return { stream, shown: () => text };
}

test.each([
  ["at the start, where no time has passed", [0]],
  ["where nothing has moved since", [3, 3, 3]],
])("no time is told %s", (_, steps) => {
  const { stream, shown } = terminal();
  const view = progressView(stream);
  for (const done of steps) view.update({ phase: "measuring", done, total: 10, unit: "blocks" });
  view.stop();
  expect(shown()).toContain(`${steps[0]}/10 blocks`);
  expect(shown()).not.toMatch(/LLs|NFs|NULL|INF|NaN/);
});
