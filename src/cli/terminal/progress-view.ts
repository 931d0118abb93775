import cliProgress, { type Options } from "cli-progress";
import type { Progress } from "../../index.ts";

// A CommonJS module, of which Node does not see all names.
const { Format, SingleBar } = cliProgress;

export interface ProgressView {
  update(progress: Pick<Progress, "phase" | "done" | "total" | "unit">): void;
  /** A line that stays, such as of a step that was finished. */
  print(text: string): void;
  stop(): void;
}

/**
 * Progress on standard error, so that standard output holds results alone: a bar in a terminal, else a
 * plain line for each phase and each tenth of it.
 */
export function progressView(stream: NodeJS.WriteStream = process.stderr): ProgressView {
  return stream.isTTY ? barView(stream) : lineView(stream);
}

function barView(stream: NodeJS.WriteStream): ProgressView {
  let bar: InstanceType<typeof SingleBar> | undefined;
  let shown = "";
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    update({ phase, done, total, unit }) {
      if (phase !== shown) {
        stop();
        shown = phase;
      }
      if (total === null || total === 0) {
        if (bar === undefined) stream.write(`\r\u001b[K${phase}${done > 0 ? ` ${done} ${unit}` : ""} ...`);
        return;
      }
      if (bar === undefined) {
        stream.write("\r\u001b[K");
        bar = new SingleBar({
          stream,
          format: `${phase} [{bar}] {percentage}% {value}/{total} ${unit} {eta_formatted}`,
          formatTime: timeLeft,
          hideCursor: true,
          clearOnComplete: true,
          gracefulExit: false, // the command decides what Ctrl-C does
        });
        bar.start(total, done);
      }
      bar.update(done);
      if (done >= total) stop();
    },
    print(text) {
      stop();
      shown = "";
      stream.write(`\r\u001b[K${text}\n`);
    },
    stop() {
      stop();
      stream.write("\r\u001b[K");
    },
  };
}

/** The library says NULL or INF of a time that it does not know, which its own format cuts to "LLs". */
function timeLeft(seconds: number | string, options: Options, multiple: number): string {
  return typeof seconds === "number" ? Format.TimeFormat(seconds, options, multiple) : "";
}

function lineView(stream: NodeJS.WriteStream): ProgressView {
  let shown = "";
  let tenth = -1;
  return {
    update({ phase, done, total, unit }) {
      if (phase !== shown) {
        shown = phase;
        tenth = 0;
        stream.write(`${phase}\n`);
        return;
      }
      const now = total === null || total === 0 ? 0 : Math.floor((10 * done) / total);
      if (now <= tenth) return;
      tenth = now;
      stream.write(`${phase} ${now * 10}%${unit === "" ? "" : ` (${done} of ${total} ${unit})`}\n`);
    },
    print(text) {
      stream.write(`${text}\n`);
    },
    stop() {},
  };
}
