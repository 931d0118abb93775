import type { Places } from "./chart.ts";
import { colour, element, label } from "./svg.ts";
import type { IntervalGroup, LowestChances } from "./types.ts";

/** Beside each player the chance of being among the lowest k, in percent: the stronger, the surer. */
export function drawChances(
  lowest: LowestChances,
  { players, tone }: IntervalGroup,
  at: Places,
  {
    left,
    column,
    row,
    top,
    height,
  }: { left: number; column: number; row: number; top: number; height: number },
): string {
  const right = left + lowest.k.length * column;
  const middle = (index: number) => left + (index + 0.5) * column;
  const head = label("% sure to be among the lowest", right, 8, {
    fill: colour.mute,
    anchor: "end",
    size: 11,
  });
  const columns = lowest.k.map((k, index) =>
    label(String(k), middle(index), top - 10, { fill: colour.mute, anchor: "middle" }),
  );
  const cells = lowest.players.flatMap(({ name, chances }) => {
    const y = at.y(String(players.findIndex((player) => player.name === name)));
    return chances.map((chance, index) => {
      if (chance === null) return "";
      const box = {
        x: middle(index) - column / 2 + 1,
        y: y - row / 2 + 1,
        width: column - 2,
        height: row - 2,
        rx: 2,
        fill: colour[tone],
        "fill-opacity": Math.max(0.03, chance * 0.55).toFixed(2),
      };
      return (
        element("rect", box) + label(writeChance(chance), middle(index), y, { anchor: "middle", size: 11 })
      );
    });
  });
  if (lowest.together === undefined) return [head, ...columns, ...cells].join("");
  const whole = label("the whole set", left - 8, height - 10, { fill: colour.mute, anchor: "end", size: 11 });
  const sums = lowest.together.map((chance, index) =>
    chance === null
      ? ""
      : label(writeChance(chance), middle(index), height - 10, { anchor: "middle", size: 11, bold: true }),
  );
  return [head, ...columns, ...cells, whole, ...sums].join("");
}

/** In whole percent, but never quite sure. */
function writeChance(chance: number): string {
  if (chance > 0.995 && chance < 1) return ">99";
  return chance > 0 && chance < 0.005 ? "<1" : String(Math.round(chance * 100));
}
