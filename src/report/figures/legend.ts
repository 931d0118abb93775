/** What the colours and shapes of a figure mean, for the page and for a file. */
import { writeChosen } from "./axes.ts";
import { colour } from "./svg.ts";
import type { Family, Figure, IntervalGroup, Player, Quantity } from "./types.ts";

export interface LegendEntry {
  readonly shape: "line" | "box" | "area" | "dot" | "hollow" | "ring" | "tick" | "interval" | "ramp";
  readonly colour: string;
  readonly text: string;
  /** Of a ramp: what stands at its other end. */
  readonly to?: string;
}

export function legendOf(figure: Figure): LegendEntry[] {
  switch (figure.kind) {
    case "lines":
      return [
        ...familyEntries(figure.families, "line"),
        ...(figure.whole === undefined ? [] : [entry("dot", colour.ink, figure.whole.label)]),
        ...(figure.band === undefined
          ? []
          : [entry("area", firstBand(figure.series, figure.families), figure.band)]),
      ];
    case "panels": {
      const shape = figure.panels.some(({ kind }) => kind === "lines") ? "line" : "box";
      const intervals = figure.panels.flatMap((panel) => (panel.kind === "intervals" ? [panel] : []));
      return [
        ...familyEntries(figure.families, shape),
        ...(figure.marked === undefined
          ? []
          : [entry(shape === "box" ? "box" : "dot", colour.mute, figure.marked)]),
        ...(figure.band === undefined ? [] : [entry("area", colour.mute, figure.band)]),
        ...intervalEntries(intervals),
      ];
    }
    case "map":
      return figure.shading.kind === "one"
        ? [
            {
              shape: "ramp",
              colour: colour[figure.shading.tone],
              text: endOf(figure.shading, "weakest", figure.value),
              to: endOf(figure.shading, "strongest", figure.value),
            },
            ...(figure.marked === undefined ? [] : [entry("ring", colour.orange, figure.marked.label)]),
          ]
        : [
            entry("box", colour[figure.shading.positive.tone], figure.shading.positive.label),
            entry("box", colour[figure.shading.negative.tone], figure.shading.negative.label),
            ...(figure.marked === undefined ? [] : [entry("ring", colour.orange, figure.marked.label)]),
          ];
    case "intervals":
      return intervalEntries(figure.groups);
    case "scatter":
      return [
        entry("area", colour.green, "Pareto front"),
        ...familyEntries(figure.families, "dot"),
        entry("hollow", colour.mute, "off the front"),
        ...(figure.whiskers === undefined ? [] : [entry("line", colour.mute, figure.whiskers)]),
      ];
    case "table":
    case "texts":
      return [];
  }
}

const entry = (shape: LegendEntry["shape"], tone: string, text: string): LegendEntry => ({
  shape,
  colour: tone,
  text,
});

const familyEntries = (families: readonly Family[], shape: LegendEntry["shape"]) =>
  families.map(({ name, tone }) => entry(shape, colour[tone], name));

/** The colour of a band, where only one line has one; else grey, for all of them. */
function firstBand(
  series: readonly { family: string; points: readonly { low?: number }[] }[],
  families: readonly Family[],
): string {
  const banded = series.filter(({ points }) => points.some(({ low }) => low !== undefined));
  const tones = new Set(banded.map((one) => families.find(({ name }) => name === one.family)?.tone ?? "ink"));
  const [only] = tones;
  return tones.size === 1 && only !== undefined ? colour[only] : colour.mute;
}

function intervalEntries(groups: readonly Pick<IntervalGroup, "players">[]): LegendEntry[] {
  const players = groups.flatMap((group) => group.players);
  if (players.length === 0) return [];
  const has = (test: (player: Player) => boolean) => players.some(test);
  return [
    entry("dot", colour.mute, "estimate"),
    ...(has(({ low }) => low !== undefined) ? [entry("interval", colour.mute, "95% interval")] : []),
    ...(has(({ exact }) => exact !== undefined) ? [entry("tick", colour.ink, "exact value")] : []),
  ];
}

/** Colours end where values may go on. */
function endOf(
  shading: { weakest: number; strongest: number },
  end: "weakest" | "strongest",
  value: Quantity,
): string {
  const isHigh = shading.weakest > shading.strongest === (end === "weakest");
  return `${writeChosen(shading[end], value)} ${isHigh ? "or more" : "or less"}`;
}
