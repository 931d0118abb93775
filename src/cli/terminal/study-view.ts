/** How a study goes: in a terminal a few lines that stay in place, elsewhere a line for each step. */
import type { StudyEvent } from "../../index.ts";
import { formatNumber, formatSeconds } from "../../report/index.ts";
import type { ProgressView } from "./progress-view.ts";

export interface StudyView extends ProgressView {
  event(event: StudyEvent): void;
}

type Stream = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;
type Told = Parameters<ProgressView["update"]>[0];

/** Milliseconds between two looks of the lines that stay, and between two lines of a step under way. */
const [redrawEvery, lineEvery] = [100, 60_000];

/** `now`: milliseconds on some clock. */
export function studyView(stream: Stream = process.stderr, now = () => performance.now()): StudyView {
  const state = new StudyState(now);
  return stream.isTTY ? liveView(stream, state, now) : plainView(stream, state, now);
}

function liveView(stream: Stream, state: StudyState, now: () => number): StudyView {
  let drawn = 0;
  let last = Number.NEGATIVE_INFINITY;
  // Lines that would wrap could not be drawn over.
  const fitting = (text: string) => [...text].slice(0, (stream.columns ?? 80) - 1).join("");
  const clear = () => (drawn === 0 ? "" : `\u001b[${drawn}A\r\u001b[J`);
  const draw = (above = "") => {
    const lines = state.lines().map(fitting);
    stream.write(`${clear()}${above}${lines.map((line) => `${line}\n`).join("")}`);
    drawn = lines.length;
    last = now();
  };
  return {
    update(progress) {
      state.doing = progress;
      if (now() - last >= redrawEvery) draw();
    },
    event(event) {
      state.hear(event);
      if (event.kind === "failed") draw(`failed   ${event.step}: ${event.message}\n`);
      else if (event.kind !== "measured" || now() - last >= redrawEvery) draw();
    },
    print: (text) => draw(`${text}\n`),
    stop() {
      // What was drawn stays above whatever is said next.
      drawn = 0;
    },
  };
}

function plainView(stream: Stream, state: StudyState, now: () => number): StudyView {
  let last = now();
  const print = (text: string) => {
    stream.write(`${text}\n`);
    last = now();
  };
  return {
    update(progress) {
      state.doing = progress;
      if (now() - last >= lineEvery) print(state.lines().join("; "));
    },
    event(event) {
      state.hear(event);
      if (event.kind === "failed") print(`failed   ${event.step}: ${event.message}`);
      if (event.kind !== "step") return;
      print(`${event.known ? "known" : "done "}    ${event.step} (${formatSeconds(event.seconds)})`);
    },
    print,
    stop() {},
  };
}

/** What is known of a study under way. */
class StudyState {
  doing: Told | undefined;
  readonly #now: () => number;
  readonly #started: number;
  #total = 0;
  #planned: number | undefined;
  #done = 0;
  #doneNow = 0;
  #seconds = 0;
  #evaluation: string | undefined;
  readonly #best = new Map<number, Extract<StudyEvent, { kind: "measured" }>>();

  constructor(now: () => number) {
    this.#now = now;
    this.#started = now();
  }

  hear(event: StudyEvent): void {
    switch (event.kind) {
      case "begun":
        this.#planned = event.planned?.seconds;
        this.#total = event.total;
        return;
      case "planned":
        this.#total = event.total;
        return;
      case "step":
        this.#seconds += event.seconds;
        this.#doneNow += event.known ? 0 : 1;
        this.#done += 1;
        return;
      case "failed":
        this.#doneNow += 1;
        this.#done += 1;
        return;
      case "measured": {
        this.#evaluation ??= `${event.model} ${event.evaluation}`;
        if (this.#evaluation !== `${event.model} ${event.evaluation}`) return;
        const best = this.#best.get(event.removed);
        const better = best === undefined || event.value < best.value === event.lowerIsBetter;
        if (better) this.#best.set(event.removed, event);
      }
    }
  }

  lines(): string[] {
    const elapsed = (this.#now() - this.#started) / 1000;
    const left = this.#left(elapsed);
    const of = this.#total === 0 ? "" : ` of ${Math.max(this.#total, this.#done)}`;
    const told = left === undefined ? "" : `, about ${formatSeconds(left)} left`;
    return [
      `${this.#done}${of} steps, ${formatSeconds(elapsed)} so far${told}`,
      ...(this.doing === undefined ? [] : [doingLine(this.doing)]),
      ...this.#bestLine(),
    ];
  }

  /** By what was told before, as long as that is not used up; else by the steps that were done in this run. */
  #left(elapsed: number): number | undefined {
    const planned = this.#planned === undefined ? 0 : this.#planned - this.#seconds;
    if (planned > 0) return planned;
    const steps = this.#total - this.#done;
    return this.#doneNow === 0 || steps < 0 ? undefined : (elapsed / this.#doneNow) * steps;
  }

  #bestLine(): string[] {
    const best = [...this.#best.values()].sort((a, b) => a.removed - b.removed);
    const [first] = best;
    if (first === undefined) return [];
    const found = best.map(({ removed, value }) => `${removed}: ${formatNumber(value)}`);
    return [`best ${first.measure} on ${first.evaluation} without so many units: ${found.join(", ")}`];
  }
}

function doingLine({ phase, done, total, unit }: Told): string {
  if (total === null || total === 0) return done > 0 ? `${phase}, ${done} ${unit}` : phase;
  return `${phase}, ${Math.floor((100 * done) / total)}%`;
}
