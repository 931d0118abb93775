/** Where weight lies: influence by depth, and distances across spans. */
import type { StudyRecord } from "../../experiment/study/record.ts";
import type { Figure, MapFigure, PanelsFigure } from "../figures/types.ts";
import { list, type Study, slug } from "./study.ts";

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
  return first.flatMap((measured) => [byDepth(study, measured), anglesOf(study, measured)]);
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

/** A panel per metric, a line per kind. The ends move the stream a hundred times as much: a log axis. */
function byDepth(study: Study, { data, model, calibration }: Measured): PanelsFigure {
  const metrics = metricsIn(study);
  const [first = "cosine"] = metrics;
  const lowest = (kind: (typeof kinds)[number], metric: typeof first) =>
    [...data.values[kind][metric].entries()]
      .sort((a, b) => a[1] - b[1])
      .slice(0, 3)
      .map(([block]) => block);
  const quiet = lowest("block", first).sort((a, b) => a - b);
  return {
    kind: "panels",
    id: slug(study.prefix, "influence", model, calibration),
    title: `By ${first}, blocks ${list(quiet.map(String))} move the stream least`,
    subtitle: "Influence of every unit by depth (log scales); low means: remove first",
    caption: "A unit that does not move the stream at all has no place on a log axis; the table has it.",
    protocols: [study.calibrationProtocols.get(calibration) ?? ""].filter((id) => id !== ""),
    description: `Line charts of influence against depth, one for each of ${metrics.length} metrics, a line per kind of unit.`,
    columns: metrics.length > 1 ? 3 : 2,
    families: kindFamilies,
    marked: "three lowest of each kind",
    panels: metrics.map((metric) => ({
      kind: "lines",
      title: metric,
      x: { name: "block" },
      y: { name: metric, scale: "log" },
      series: kinds.map((kind) => {
        const low = new Set(lowest(kind, metric));
        return {
          name: kind,
          family: kind,
          dash: "solid" as const,
          points: data.values[kind][metric].map((value, x) => ({
            x,
            y: value > 0 ? value : null,
            marked: low.has(x),
          })),
        };
      }),
    })),
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
