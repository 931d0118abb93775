/** Feed-forward skipping (arXiv 2404.03865) beside a static mask and random skips of equal share. */
import { type ComparedPolicy, type Model, proposeSkipWindow, type TextData } from "depthkit";
import type { LineSeries, LinesPanel, ReportSection, Verdict } from "depthkit/report";
import { type Measured, verdictOf } from "./verdict.ts";

const id = "skipping";

export async function policiesOf(
  model: Model,
  texts: Readonly<Record<string, TextData>>,
  quick: boolean,
): Promise<{ section: ReportSection; claims: Verdict[] }> {
  const [calibration] = Object.values(texts);
  if (calibration === undefined) throw new Error("There is no text to find a window on.");
  await using corpus = await model.loadCorpus(calibration, { sequences: 4, length: 128 });
  const influence = await model.influence(corpus, { units: "feed-forward", metric: "cosine" });
  const window = proposeSkipWindow(influence);
  const order = influence.lowest(model.depth);
  const thresholds = quick ? [0.98] : [0.99, 0.98, 0.97, 0.95];
  const panels: LinesPanel[] = [];
  const besideMask: Measured[] = [];
  const besideChance: Measured[] = [];
  for (const [text, data] of Object.entries(texts)) {
    const points: { policy: Point[]; fixed: Point[]; random: Point[] } = {
      policy: [],
      fixed: [],
      random: [],
    };
    for (const threshold of thresholds) {
      const policed = model.withPolicy({ kind: "feed-forward-skipping", ...window, threshold, run: 1 });
      const found = await policed.compare(data, { chunk: 256, maxChunks: quick ? 2 : 8, order });
      points.policy.push(pointOf(found.policy));
      points.fixed.push(pointOf(found.fixed));
      const [luckiest] = found.random.toSorted((a, b) => a.perplexity.loss - b.perplexity.loss);
      if (luckiest === undefined) continue;
      points.random.push(pointOf(luckiest));
      besideMask.push(differenceOf(`${text} at ${threshold}`, found.fixed));
      besideChance.push(differenceOf(`${text} at ${threshold}`, luckiest));
    }
    panels.push(panelOf(text, points));
  }
  const chosen = `feed-forwards of blocks ${window.start} to ${window.end - 1}`;
  return {
    section: {
      id: "policies",
      heading: "Skipping by what a token's stream did",
      paragraphs: [`Each token may skip ${chosen}; the controls skip as many and look at nothing.`],
      figures: [
        {
          kind: "panels",
          id,
          title: "Feed-forward skipping beside its controls",
          subtitle: "Perplexity (log scale) by the share of all feed-forwards that tokens skip",
          caption: "Random skips are those of the best of three seeds.",
          protocols: [],
          description:
            "Perplexity over the skipped share: the policy, a static mask and random skips, for each text.",
          columns: 3,
          families: [
            { name: "policy", tone: "blue" },
            { name: "controls", tone: "grey" },
          ],
          panels,
        },
      ],
    },
    claims: [
      verdictOf("Skipping by the stream beats a static mask.", evidence("the static mask"), besideMask, id),
      verdictOf(
        "Skipping by the stream beats random skips.",
        evidence("the best of three seeds"),
        besideChance,
        id,
      ),
    ],
  };
}

interface Point {
  readonly x: number;
  readonly y: number | null;
}

const evidence = (control: string) =>
  `Loss of ${control} less the policy's at an equal share, paired by chunk.`;

function pointOf({ perplexity: { perplexity, skips } }: ComparedPolicy): Point {
  return { x: skips?.share ?? 0, y: typeof perplexity === "number" ? perplexity : null };
}

function differenceOf(text: string, { lossDifference }: ComparedPolicy): Measured {
  const { difference = Number.NaN, standardError = null } = lossDifference ?? {};
  return { text, difference, standardError };
}

function panelOf(
  title: string,
  { policy, fixed, random }: Record<"policy" | "fixed" | "random", Point[]>,
): LinesPanel {
  const line = (name: string, family: string, points: readonly Point[]): LineSeries => ({
    name,
    family,
    points: points.toSorted((a, b) => a.x - b.x),
  });
  return {
    kind: "lines",
    title,
    x: { name: "skipped", format: { style: "percent", digits: 0 } },
    y: { name: "perplexity", scale: "log" },
    series: [
      { ...line("policy", "policy", policy), emphasis: true },
      line("static mask", "controls", fixed),
      line("random", "controls", random),
    ],
    labels: true,
  };
}
