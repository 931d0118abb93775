/** Where weight lies: influence by depth, and distances across spans. */
import type { StudyRecord } from "../../experiment/study/record.ts";
import type { Figure, MapFigure, PanelsFigure } from "../figures/types.ts";
import { type Study, slug } from "./study.ts";

type Measured = StudyRecord["influence"][number];
const kinds = ["block", "attention", "feed-forward"] as const;
const kindFamilies = [
  { name: "block", tone: "ink" },
  { name: "attention", tone: "blue" },
  { name: "feed-forward", tone: "orange" },
] as const;

/** Of the first draw of each calibration: draws differ little, and one page need not show all. */
export function influenceFigures(study: Study): Figure[] {
  const first = study.record.influence.filter(({ draw }) => draw === 0);
  return first.flatMap((measured) => [
    ...metricsIn(study).map((metric) => barsOf(study, measured, metric)),
    anglesOf(study, measured),
  ]);
}

/** Those that a ranking goes by; cosine where none does. */
function metricsIn({ record }: Study): (keyof Measured["data"]["values"]["block"])[] {
  const asked = record.plan.rankings.flatMap((ranking) =>
    ranking.by === "influence" &&
    ranking.metric !== "taylor" &&
    ranking.metric !== "gate" &&
    ranking.metric !== "xmerge"
      ? [ranking.metric]
      : [],
  );
  return [...new Set(asked.length === 0 ? (["cosine"] as const) : asked)];
}

function barsOf(
  study: Study,
  measured: Measured,
  metric: ReturnType<typeof metricsIn>[number],
): PanelsFigure {
  const { data, model, calibration } = measured;
  const lowest = (kind: (typeof kinds)[number]) =>
    [...data.values[kind][metric].entries()]
      .sort((a, b) => a[1] - b[1])
      .slice(0, 3)
      .map(([block]) => block);
  // The first and the last block move the stream so much that no other could be seen beside them.
  const inner = kinds.flatMap((kind) => data.values[kind][metric].slice(1, -1));
  const most = 1.15 * Math.max(...inner);
  const quiet = lowest("block");
  return {
    kind: "panels",
    id: slug(study.prefix, "influence", model, calibration, metric),
    title: `By ${metric}, blocks ${[...quiet].sort((a, b) => a - b).join(", ")} move the stream least`,
    subtitle: `${metric} influence of every unit, by depth; low means: remove first`,
    caption: [
      "Bars higher than the frame are cut; the table has them. Lines through bars are 95% intervals over sequences ",
      "where they can be told.",
    ],
    protocols: [study.calibrationProtocols.get(calibration) ?? ""].filter((id) => id !== ""),
    description: `Three bar charts of ${metric} influence against depth: blocks, attention and feed-forward sublayers.`,
    columns: 3,
    families: kindFamilies,
    marked: "the three lowest of each kind",
    panels: kinds.map((kind) => {
      const low = new Set(lowest(kind));
      return {
        kind: "bars",
        title: kind,
        x: { name: "depth" },
        y: { name: metric, domain: [0, most] },
        bars: data.values[kind][metric].map((y, x) => ({ x, y, family: kind, marked: low.has(x) })),
      };
    }),
  };
}

/** The angular distance across every run of blocks, the nearest run of each length marked. */
function anglesOf(study: Study, { data, model, calibration }: Measured): MapFigure {
  const lengths = Array.from({ length: Math.ceil(data.depth / 2) }, (_, less) => less + 1);
  const rows = lengths.map((length) => data.angular[length - 1] ?? []);
  const cells = rows.map((row) => Array.from({ length: data.depth }, (_, first) => row[first] ?? null));
  const nearest = rows.map((row) => row.indexOf(Math.min(...row)));
  const all = rows.flat();
  const four = nearest[3] ?? 0;
  return {
    kind: "map",
    id: slug(study.prefix, "angles", model, calibration),
    title: `The four blocks from ${four} on turn the stream least`,
    subtitle: "Angular distance, in units of pi, between the stream before and behind a run of blocks",
    caption: "Strong colour is a small angle: the run does little. It says nothing of what the run is worth.",
    protocols: [study.calibrationProtocols.get(calibration) ?? ""].filter((id) => id !== ""),
    description: "Heat map of angular distances: first block across, length of the run down.",
    x: { name: "first block", entries: Array.from({ length: data.depth }, (_, block) => String(block)) },
    y: { name: "blocks in the run", entries: lengths.map(String) },
    value: { name: "angular distance", format: { digits: 3 } },
    cells,
    shading: { kind: "one", tone: "blue", weakest: Math.max(...all), strongest: Math.min(...all) },
    marked: {
      cells: nearest.map((first, row) => [row, first] as const),
      label: "the nearest run of its length",
    },
  };
}
