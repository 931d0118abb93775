import { expect, test } from "vitest";
import { studyView } from "../../../../src/cli/terminal/study-view.ts";
import type { StudyEvent } from "../../../../src/index.ts";

/** What is written, and a clock that stands until it is moved, in seconds. */
function viewOn(isTTY: boolean, columns = 200) {
  let text = "";
  let clock = 0;
  const write = (part: string): boolean => {
    text += part;
    return true;
  };
  const stream = { isTTY, columns, write };
  return {
    view: studyView(stream, () => 1000 * clock),
    at: (seconds: number) => {
      clock = seconds;
    },
    shown: () => text,
    /** What a terminal shows in the end: each look goes over the one before. */
    left: () => text.slice(text.lastIndexOf("\u001b[J") + 3).split("\n"),
  };
}

const step = (seconds: number, known = false): StudyEvent => ({
  kind: "step",
  step: "ranking cosine",
  seconds,
  known,
});
const measured = (removed: number, value: number, repair: string | null = null): StudyEvent => ({
  kind: "measured",
  model: "tiny",
  evaluation: "boats",
  removed,
  repair,
  measure: "perplexity",
  value,
  lowerIsBetter: true,
});
const doing = { phase: "boats: subnetworks", done: 3, total: 12, unit: "block evaluations" };

test("outside a terminal a line is a finished step, and a step under way has one per minute", () => {
  const { view, at, shown } = viewOn(false);
  view.event({ kind: "begun", total: 4, planned: null });
  for (let second = 0; second < 59; second++) {
    at(second);
    view.update(doing);
  }
  expect(shown()).toBe("");
  at(60);
  view.update(doing);
  view.update(doing);
  at(90);
  view.event(step(90));
  view.event(step(2, true));
  view.event({ kind: "failed", step: "repair fold", message: "it does not apply." });
  at(149);
  view.update(doing);
  expect(shown().split("\n")).toEqual([
    "0 of 4 steps, 1 min 0 s so far; boats: subnetworks, 25%",
    "done     ranking cosine (1 min 30 s)",
    "known    ranking cosine (2.0 s)",
    "failed   repair fold: it does not apply.",
    "",
  ]);
});

test("in a terminal it shows what is done, what is left, and the best so far", () => {
  const { view, at, left } = viewOn(true);
  view.event({ kind: "begun", total: 4, planned: null });
  view.event(step(1, true));
  at(10);
  view.event(step(10));
  view.event({ kind: "planned", total: 6 });
  expect(left()[0]).toBe("2 of 6 steps, 10.0 s so far, about 40.0 s left");
  view.event(measured(0, 15));
  view.event(measured(2, 30));
  view.event(measured(2, 25, "low-rank"));
  view.event(measured(2, 28));
  view.event({ ...measured(2, 1), evaluation: "another" } as StudyEvent);
  at(11);
  view.update(doing);
  expect(left()).toEqual([
    "2 of 6 steps, 11.0 s so far, about 44.0 s left",
    "boats: subnetworks, 25%",
    "best perplexity on boats without so many units: 0: 15, 2: 25",
    "",
  ]);
});

test("of a share of right answers the highest is the best", () => {
  const { view, at, left } = viewOn(true);
  const accuracy = (value: number) =>
    ({ ...measured(1, value), measure: "accuracy", lowerIsBetter: false }) as StudyEvent;
  for (const value of [0.25, 0.5, 0.375]) view.event(accuracy(value));
  at(1);
  view.update(doing);
  expect(left()).toContain("best accuracy on boats without so many units: 1: 0.5");
});

test("the time left is what was told before, less what is done, as long as it lasts", () => {
  const { view, at, left } = viewOn(true);
  view.event({ kind: "begun", total: 4, planned: { seconds: 100, low: 90, high: 120 } });
  at(30);
  view.event(step(30));
  expect(left()[0]).toBe("1 of 4 steps, 30.0 s so far, about 1 min 10 s left");
  at(130);
  view.event(step(100));
  expect(left()[0]).toBe("2 of 4 steps, 2 min 10 s so far, about 2 min 10 s left");
});

test("a look goes over the one before, line for line, and none is wider than the terminal", () => {
  const { view, at, shown, left } = viewOn(true, 20);
  view.event({ kind: "begun", total: 4, planned: null });
  at(1);
  view.update(doing);
  at(2);
  view.update(doing);
  expect(shown().split("\u001b[1A\r\u001b[J")).toHaveLength(2);
  expect(shown().split("\u001b[2A\r\u001b[J")).toHaveLength(2);
  for (const line of left()) expect(line.length).toBeLessThan(20);
});

test("what fails stays above, and what was drawn stays once the view has stopped", () => {
  const { view, shown } = viewOn(true);
  view.event({ kind: "begun", total: 4, planned: null });
  view.event({ kind: "failed", step: "repair fold", message: "it does not apply." });
  expect(shown()).toContain("\u001b[Jfailed   repair fold: it does not apply.\n1 of 4 steps");
  view.stop();
  const before = shown();
  view.print("Stopping.");
  expect(shown().slice(before.length)).toMatch(/^Stopping\.\n1 of 4 steps/);
});
