/** Quality against what a model costs, evaluations beside each other, and text before and after. */

import { isLowerBetter } from "../../experiment/study/curves.ts";
import type { Figure, ScatterFigure, ScatterPanel, TableFigure, TextsFigure } from "../figures/types.ts";
import type { CurveGroup } from "./curve-figures.ts";
import { protocolsOf } from "./curve-figures.ts";
import { drawn, kindOf, type Study, shown, shownName, slug, valueAxis } from "./study.ts";

/**
 * Against parameters and KV cache, and where it was timed against speed: what no other beats is the front.
 */
export function costFigure(study: Study, group: CurveGroup): ScatterFigure | undefined {
  const curves = [...group.bare, ...group.repaired];
  const [first] = curves;
  if (first === undefined) return undefined;
  const families = [
    ...new Map(
      group.bare.map(({ ranking }) => [kindOf(study, ranking).name, kindOf(study, ranking)]),
    ).values(),
  ];
  const repaired = { name: "repaired", tone: "violet" } as const;
  const better = { x: "lower", y: isLowerBetter(first.measure) ? "lower" : "higher" } as const;
  const panel = (
    title: string,
    name: string,
    x: (curve: number, point: number) => number | null,
  ): ScatterPanel => ({
    title,
    x: { name, format: { style: "percent", digits: 0 } },
    y: valueAxis(first),
    better,
    points: curves.flatMap((curve, c) =>
      curve.points.map((point, p) => ({
        name: `${curve.ranking}${curve.repair === null ? "" : `, ${curve.repair}`}, ${point.removal} removed`,
        ...(point.removal > 0 ? { label: `−${point.removal}` } : {}),
        family: curve.repair === null ? kindOf(study, curve.ranking).name : repaired.name,
        x: x(c, p),
        ...drawnAs(drawn(curve, point)),
      })),
    ),
  });
  const at = (c: number, p: number) => curves[c]?.points[p];
  return {
    kind: "scatter",
    id: slug(study.prefix, "cost", group.model, group.calibration, group.evaluation, group.units),
    title: "What is kept, and what it costs",
    subtitle: `${shownName(first)} on ${group.evaluation} against what is left of the model's size`,
    caption: "The step line joins what no other choice beats in both. Hollow marks are beaten.",
    protocols: protocolsOf(study, group),
    description: `Scatter plots of ${shownName(first)} against parameters and KV cache left.`,
    families: group.repaired.length > 0 ? [...families, repaired] : families,
    panels: [
      panel("parameters", "parameters left", (c, p) => 1 - (at(c, p)?.parameterShare ?? 0)),
      panel("KV cache per token", "KV bytes left", (c, p) => 1 - (at(c, p)?.kvShare ?? 0)),
      ...(study.timeLeft.size === 0
        ? []
        : [
            panel("time of a token", "time left", (c, p) => {
              return study.timeLeft.get(at(c, p)?.subnetworks[0] ?? "") ?? null;
            }),
          ]),
    ],
  };
}

/** Without a low and a high of its own a point's whiskers are left out. */
function drawnAs({ y, low, high }: { y: number | null; low?: number; high?: number }) {
  return { y, ...(low === undefined || high === undefined ? {} : { yLow: low, yHigh: high }) };
}

/** Every evaluation beside the others: what removing by one measure does to the rest. */
export function tradeOffTable(study: Study, groups: readonly CurveGroup[]): TableFigure | undefined {
  const [first] = groups;
  if (first === undefined || groups.length < 2) return undefined;
  const rows = first.bare.flatMap((curve) =>
    curve.points
      .filter(({ removal }) => removal > 0)
      .map((point) => [
        `${curve.ranking}, ${point.removal}`,
        ...groups.map((group) => {
          const own = group.bare.find(({ ranking }) => ranking === curve.ranking);
          const there = own?.points.find(({ removal }) => removal === point.removal);
          return own === undefined || there?.value == null ? null : shown(own, there.value);
        }),
      ]),
  );
  return {
    kind: "table",
    id: slug(study.prefix, "trade-offs", first.model, first.calibration, first.units),
    title: "Every choice on every measure",
    subtitle: "Nothing put in place of what was removed",
    caption: "A choice that is good by one measure may be bad by another.",
    protocols: [...new Set(groups.flatMap((group) => protocolsOf(study, group)))],
    description: `Table of ${rows.length} choices on ${groups.length} evaluations.`,
    columns: [
      { title: "ranking, removed" },
      ...groups.map(({ evaluation, bare }) => {
        const [curve] = bare;
        const percent = curve?.measure === "accuracy";
        return {
          title: evaluation,
          detail: curve === undefined ? "" : `${shownName(curve)}, whole ${whole(curve)}`,
          ...(percent ? { format: { style: "percent", digits: 1 } as const } : {}),
        };
      }),
    ],
    rows,
  };
}

const whole = (curve: CurveGroup["bare"][number]): string => {
  const value = shown(curve, curve.whole);
  return curve.measure === "accuracy" ? `${(100 * value).toFixed(1)}%` : value.toPrecision(3);
};

/** What subnetworks wrote after the same prompts. */
export function textsFigure(study: Study): Figure[] {
  const { record } = study;
  if (record.texts.length === 0) return [];
  const prompts = record.plan.texts?.prompts ?? [];
  const of = (id: string) => record.subnetworks.find((one) => one.id === id);
  return [
    {
      kind: "texts",
      id: slug(study.prefix, "texts"),
      title: "The same prompts, before and after",
      subtitle: "What each subnetwork wrote",
      caption: "One text says little of a model; it shows what figures mean.",
      protocols: [],
      description: `Texts of ${record.texts.length} subnetworks after ${prompts.length} prompts.`,
      prompts: prompts.map((prompt, at) => ({
        prompt,
        answers: record.texts.map(({ subnetwork, generation }) => {
          const one = of(subnetwork);
          const removed = one?.removed ?? [];
          const detail = [removed.join(", "), one?.repair?.name ?? ""]
            .filter((part) => part !== "")
            .join("; ");
          return {
            name: removed.length === 0 ? "the whole model" : `${removed.length} removed`,
            ...(detail === "" ? {} : { detail }),
            text: generation.generations[at]?.text.trimEnd() ?? "",
            tone: removed.length === 0 ? ("ink" as const) : ("blue" as const),
          };
        }),
      })),
    } satisfies TextsFigure,
  ];
}
