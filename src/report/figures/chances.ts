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
  // Many columns are narrow: the strength of the colour stays, the table has the numbers.
  const size = column >= 24 ? 11 : column >= 21 ? 9.5 : 0;
  const every = Math.ceil(18 / column);
  const columns = lowest.k.map((k, index) =>
    index % every === 0
      ? label(String(k), middle(index), top - 10, { fill: colour.mute, anchor: "middle" })
      : "",
  );
  const number = (chance: number, x: number, y: number, bold = false) =>
    size === 0 ? "" : label(writeChance(chance), x, y, { anchor: "middle", size, bold });
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
      return element("rect", box) + number(chance, middle(index), y);
    });
  });
  if (lowest.together === undefined) return [head, ...columns, ...cells].join("");
  if (size === 0) return [head, ...columns, ...cells].join("");
  const whole = label("the whole set", left - 8, height - 10, { fill: colour.mute, anchor: "end", size: 11 });
  const sums = lowest.together.map((chance, index) =>
    chance === null ? "" : number(chance, middle(index), height - 10, true),
  );
  return [head, ...columns, ...cells, whole, ...sums].join("");
}

/** In whole percent, but never quite sure. */
function writeChance(chance: number): string {
  if (chance > 0.995 && chance < 1) return ">99";
  return chance > 0 && chance < 0.005 ? "<1" : String(Math.round(chance * 100));
}
