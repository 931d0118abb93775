import { type Ruler, rulerOf } from "./axes.ts";
import { drawChances } from "./chances.ts";
import { chart, type Picture, type Places, type Tools } from "./chart.ts";
import { writeNumber, writeQuantity } from "./numbers.ts";
import { colour, element, label } from "./svg.ts";
import { fitText, textWidth } from "./text-width.ts";
import { dotTip } from "./tips.ts";
import type { IntervalGroup, Player } from "./types.ts";

const FEW_PLAYERS = 16;

/** A row per player: its name, its dot and interval, and the chance of being among the lowest k. */
export function drawIntervals(tools: Tools, group: IntervalGroup, width = 420): Picture {
  const { players } = group;
  const lowest = group.lowest?.k.length === 0 ? undefined : group.lowest;
  const row = players.length > FEW_PLAYERS ? 20 : 25;
  const names = players.map(({ name }) => fitText(name, 120, 12));
  const column = Math.min(28, (width * 0.46) / (lowest?.k.length ?? 1));
  const chances = (lowest?.k.length ?? 0) * column;
  const margins = {
    top: lowest === undefined ? 6 : 38,
    right: lowest === undefined ? 14 : chances + 24,
    bottom: lowest?.together === undefined ? 26 : 46,
    left: 14 + Math.max(0, ...names.map((name) => textWidth(name, 12))),
  };
  const height = margins.top + players.length * row + margins.bottom;
  const x = rulerOf(group.value, scaleValues(group), {
    room: 6,
    width: width - margins.left - margins.right,
  });
  const y = { entries: players.map((_, index) => String(index)), named: [], padding: 0 };
  let tips = "";
  const { content } = chart(tools, { width, height, ...margins, x, y, grid: "x" }, [], {
    over: (at) => {
      const rows = players.map((player, index) =>
        drawRow(player, names[index] ?? "", { y: at.y(String(index)), left: margins.left + 4 }, at, group),
      );
      tips = players.map((player, index) => tipOf(player, index, at, group, { width, height })).join("");
      const span = { left: width - chances, column, row, top: margins.top, height };
      return (
        zeroLine(x, at, margins.top, height - margins.bottom) +
        rows.join("") +
        (lowest ? drawChances(lowest, group, at, span) : "")
      );
    },
  });
  return { width, height, title: group.title, content, tips };
}

/** Zero too: whether an interval holds it is what one looks for. */
function scaleValues({ players, value }: IntervalGroup): number[] {
  const seen = players.flatMap((player) =>
    [player.value, player.low, player.high, player.exact].flatMap((one) => one ?? []),
  );
  return value.scale === "log" ? seen : [...seen, 0];
}

function zeroLine({ domain, scale }: Ruler, at: Places, top: number, bottom: number): string {
  if (scale === "log" || domain[0] > 0 || domain[1] < 0) return "";
  const x = at.x(0);
  return element("line", { x1: x, x2: x, y1: top, y2: bottom, stroke: colour.mute });
}

function drawRow(
  player: Player,
  name: string,
  { y, left }: { y: number; left: number },
  at: Places,
  { tone, value }: IntervalGroup,
): string {
  const start = label(name, 0, y);
  const zero = value.scale === "log" ? 0 : at.x(0) + 6;
  if (player.value === null) {
    return start + label("not measured", Math.max(left, zero), y, { fill: colour.mute, size: 11 });
  }
  const interval =
    player.low === undefined || player.high === undefined
      ? ""
      : element("line", {
          x1: at.x(player.low),
          x2: at.x(player.high),
          y1: y,
          y2: y,
          stroke: colour[tone],
          "stroke-width": 5,
          "stroke-opacity": ".3",
          "stroke-linecap": "round",
        });
  const dot = element("circle", { cx: at.x(player.value), cy: y, r: 4, fill: colour[tone] });
  if (player.exact === undefined) return start + interval + dot;
  const exact = at.x(player.exact);
  const tick = { x1: exact, x2: exact, y1: y - 7, y2: y + 7, stroke: colour.ink, "stroke-width": "1.6" };
  return start + interval + dot + element("line", tick);
}

function tipOf(
  { name, value, low, high, exact }: Player,
  index: number,
  at: Places,
  { value: axis }: IntervalGroup,
  bounds: { width: number; height: number },
): string {
  if (value === null) return "";
  const spread =
    low === undefined || high === undefined
      ? "spread unknown"
      : `95% [${writeNumber(low, axis.format)}, ${writeNumber(high, axis.format)}]`;
  const truth = exact === undefined ? "" : `, exact ${writeNumber(exact, axis.format)}`;
  const lines = [`${name}: ${writeQuantity(value, axis)}`, spread + truth];
  return dotTip(at.x(value), at.y(String(index)), lines, bounds);
}
