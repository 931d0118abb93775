/**
 * A report of every kind of figure, for the tests. Its numbers are made by formulas: plausible in size, and
 * measured nowhere.
 */
import type { Figure, LineSeries, ReportDocument } from "../../../src/report/index.ts";

const DEPTH = 30;
const COUNTS = 10;
const WHOLE = 30.4;
const range = (count: number) => Array.from({ length: count }, (_, index) => index);
/** The same every time: between 0 and 1. */
const wobble = (seed: number) => (Math.sin(seed * 12.9898) * 43758.5453) % 1;

const nats = (removed: number, steepness: number, seed: number) =>
  steepness * removed + 0.006 * removed ** 2 + 0.03 * removed * wobble(seed + removed);
const perplexity = (loss: number) => Number((WHOLE * Math.exp(loss)).toFixed(2));

function ranking(
  name: string,
  family: string,
  steepness: number,
  extra: Partial<LineSeries> = {},
): LineSeries {
  const withBand = extra.emphasis === true;
  const points = range(COUNTS + 1).map((removed) => {
    const loss = nats(removed, steepness, name.length);
    const error = 0.02 + 0.012 * removed;
    const y = perplexity(loss);
    if (!withBand || removed === 0) return { x: removed, y: removed === 0 ? WHOLE : y };
    return { x: removed, y, low: perplexity(loss - error), high: perplexity(loss + error) };
  });
  return { name, family, points, ...extra };
}

const cheap = "all blocks, one pass or greedy";
const screened = "among the 15 of least cosine";
const estimated = "estimated over all blocks";

const gap = ranking("greedy & adaptive", cheap, 0.16);
const rankings: LineSeries[] = [
  ranking("cosine", cheap, 0.13, { emphasis: true }),
  ranking("leave-one-out", cheap, 0.15),
  // One removal could not be measured: a gap.
  { ...gap, points: gap.points.map((point) => (point.x === 4 ? { x: 4, y: null } : point)) },
  ranking("Shapley of 15", screened, 0.12, { emphasis: true }),
  ranking("horizon 6 of 15", screened, 0.14, { short: "horizon 6" }),
  ranking("Shapley of 30", estimated, 0.22),
  ranking("horizon 12 of 30", estimated, 0.18, { short: "horizon 12" }),
  ranking("order from <file>", estimated, 0.2, { short: "<file>" }),
];

const removal: Figure = {
  kind: "lines",
  id: "removal",
  title: "Rankings agree for two blocks, then part ways",
  subtitle: "Perplexity (log scale) by number of removed blocks and share of the parameters",
  caption: [
    "Lines without a band have an unknown spread, not none. One count of greedy could not be measured; see ",
    { figure: "repairs" },
    " for what repair wins back.",
  ],
  protocols: ["P1"],
  protocolNote: "perplexity on text that no ranking has seen",
  description:
    "Line chart: perplexity on a logarithmic axis against 0 to 10 removed blocks, a line per ranking.",
  x: {
    name: "removed blocks",
    ticks: range(COUNTS + 1).map((at) => ({ at, below: at === 0 ? "whole" : `−${(at * 2.63).toFixed(1)}%` })),
  },
  y: { name: "perplexity", scale: "log", format: { digits: 1 } },
  families: [
    { name: cheap, tone: "blue" },
    { name: screened, tone: "green" },
    { name: estimated, tone: "orange" },
  ],
  series: rankings,
  reference: { low: WHOLE, high: WHOLE * 1.1, label: "within 10% of the whole model", short: "within 10%" },
  whole: { x: 0, y: WHOLE, label: "whole model" },
  band: "95% interval of the paired difference",
};

const kinds = [
  { name: "block", tone: "ink" },
  { name: "attention", tone: "orange" },
  { name: "feed-forward", tone: "blue" },
] as const;

const influenceAt = (depth: number, metric: number, kind: number) =>
  Number(
    (
      0.02 *
      (1 + kind * 0.4) *
      Math.exp(3 * (depth / DEPTH - 0.5) ** 2 * (1 + metric)) *
      (1 + 0.4 * wobble(depth + 7 * metric + kind))
    ).toPrecision(4),
  );

function depthLine(kind: number, metric: number): LineSeries {
  const points = range(DEPTH).map((depth) => ({ x: depth, y: influenceAt(depth, metric, kind) }));
  const lowest = [...points].sort((a, b) => a.y - b.y).slice(0, 3);
  const name = kinds[kind]?.name ?? "";
  return {
    name,
    family: name,
    points: points.map((point) => (lowest.includes(point) ? { ...point, marked: true } : point)),
  };
}

const influence: Figure = {
  kind: "panels",
  id: "influence",
  title: "The middle of the model weighs least by every metric",
  subtitle: "Influence by depth (log scales), block 0 at the bottom of the model",
  caption: "The three lowest of each kind are marked. The last panel removes each block alone.",
  protocols: ["P2"],
  description:
    "Small line charts of influence by depth, one per metric, with a line each for three kinds of units.",
  columns: 3,
  families: [...kinds],
  marked: "three lowest of each kind",
  panels: [
    ...["cosine", "angular", "relative L1", "relative L2", "gradient"].map((title, metric) => ({
      kind: "lines" as const,
      title,
      x: { name: "depth" },
      y: { name: title, scale: "log" as const },
      series: kinds.map((_, kind) => depthLine(kind, metric)),
    })),
    {
      kind: "bars" as const,
      title: "what removing it alone costs, nats",
      x: { name: "block" },
      y: { name: "cost", unit: "nats" },
      bars: range(DEPTH).map((x) => {
        const y =
          x === 17 ? null : Number((0.05 + 1.8 * ((x - 14.5) / 14.5) ** 6 + 0.05 * wobble(x)).toFixed(3));
        return {
          x,
          y,
          family: "block",
          marked: x > 11 && x < 15,
          ...(y === null ? {} : { low: y - 0.02, high: y + 0.02 }),
        };
      }),
    },
  ],
};

const repaired = (
  name: string,
  family: string,
  share: number,
  extra: Partial<LineSeries> = {},
): LineSeries => ({
  name,
  family,
  points: range(COUNTS + 1).map((x) => ({ x, y: perplexity(nats(x, 0.15, 3) * (1 - share)) })),
  ...extra,
});

const repairs: Figure = {
  kind: "panels",
  id: "repairs",
  title: "One pass over 8,192 tokens wins back about half of the loss",
  subtitle: "Perplexity (log scale) by number of removed blocks",
  caption: "Solid lines are closed forms, dashed ones are trained.",
  protocols: ["P1", "P3"],
  description: "Two line charts of perplexity against removed blocks, one line per repair.",
  columns: 2,
  families: [
    { name: "not repaired", tone: "ink" },
    { name: "constants", tone: "grey" },
    { name: "low-rank", tone: "blue" },
    { name: "replacement block", tone: "violet" },
  ],
  panels: ["ranked by cosine", "ranked by horizon value"].map((title) => ({
    kind: "lines" as const,
    title,
    labels: true,
    x: { name: "removed blocks" },
    y: { name: "perplexity", scale: "log" as const, format: { digits: 1 } },
    reference: { low: WHOLE, high: WHOLE * 1.1, label: "within 10%" },
    series: [
      repaired("not repaired", "not repaired", 0, { emphasis: true }),
      repaired("emulated update", "constants", 0.08),
      repaired("trained constant", "constants", 0.1),
      repaired("low-rank 128", "low-rank", 0.52, { emphasis: true }),
      repaired("same, trained", "low-rank", 0.6, { dash: "dashed" }),
      repaired("replacement block", "replacement block", 0.66, { dash: "dash-dot" }),
    ],
  })),
};

const repairTable: Figure = {
  kind: "table",
  id: "repair-table",
  title: "Low-rank patches win back most for their seconds",
  subtitle: "Five of 30 blocks removed; share of the added loss that a repair takes back",
  caption: "A hollow bar is harm: the repaired model is worse than the removed one.",
  protocols: ["P1", "P3"],
  description: "Table of repairs with the share of the loss won back, perplexity and seconds.",
  columns: [
    { title: "repair of five blocks" },
    {
      title: "loss won back",
      detail: "cosine",
      format: { style: "percent" },
      bar: { tone: "blue", limit: 1 },
    },
    { title: "perplexity", format: { digits: 1 } },
    { title: "seconds", format: { digits: 0 } },
  ],
  rows: [
    ["replacement block, trained", 0.66, 39.1, 480],
    ["low-rank 128", 0.52, 42.9, 4],
    ["fold", 0.21, 57.1, 2],
    ["emulated update", -0.06, 74.2, 1],
    ["LoRA, 24 steps", null, null, null],
  ],
};

const spans: Figure = {
  kind: "map",
  id: "spans",
  title: "Runs of two to eight blocks are nearest in the middle",
  subtitle: "Angular distance between the two ends of a run: first block (across), blocks in the run (down)",
  caption: "Strong colour: the stream leaves the run nearly as it entered.",
  protocols: ["P2"],
  description: "Heat map of angular distance by first block and length of run; stronger colour is nearer.",
  x: { name: "first block", entries: range(DEPTH).map(String) },
  y: { name: "blocks in the run", entries: range(8).map((index) => String(index + 1)) },
  value: { name: "angular distance", format: { digits: 3 } },
  cells: range(8).map((row) =>
    range(DEPTH).map((column) =>
      column + row >= DEPTH
        ? null
        : Number((0.05 + 0.03 * row + 0.4 * ((column + row / 2 - 13) / 15) ** 2).toFixed(4)),
    ),
  ),
  shading: { kind: "one", tone: "blue", weakest: 0.5, strongest: 0.05, scale: "log" },
  marked: {
    cells: range(8).map((row) => [row, 13 - Math.floor(row / 2)] as const),
    label: "nearest run of that length",
  },
};

const groups = range(10).map((index) => `${index * 3}–${index * 3 + 2}`);

const interactions: Figure = {
  kind: "map",
  id: "interactions",
  title: "The ends need each other; neighbours in the middle stand in for one another",
  subtitle: "Interaction of two groups of blocks, nats",
  caption: "A schedule that takes one of two stand-ins should be slow to take the other.",
  protocols: ["P4"],
  description:
    "Map of the interactions of ten groups of blocks; orange pairs need each other, blue ones do not.",
  x: { name: "blocks", entries: groups.slice(0, 9) },
  y: { name: "with", entries: groups.slice(1) },
  value: { name: "interaction", unit: "nats", format: { digits: 2, sign: true } },
  cells: range(9).map((row) =>
    range(9).map((column) =>
      column > row ? null : Number((1.6 * wobble(row * 9 + column) + (column === 0 ? 0.8 : -0.1)).toFixed(2)),
    ),
  ),
  shading: {
    kind: "signed",
    positive: { tone: "orange", label: "positive: the two need each other" },
    negative: { tone: "blue", label: "negative: each stands in for the other" },
    limit: 2,
  },
};

const players = groups
  .map((name, index) => {
    const value = Number((0.1 + 2 * ((index - 4.2) / 5) ** 2).toFixed(3));
    return {
      name,
      value,
      low: value - 0.12,
      high: value + 0.12,
      exact: Number((value + 0.06 * wobble(index)).toFixed(3)),
    };
  })
  .sort((a, b) => a.value - b.value);
const lowest = {
  k: [1, 2, 3, 4, 5],
  players: players.slice(0, 5).map(({ name }, place) => ({
    name,
    chances: range(5).map((column) =>
      column < place ? null : Math.min(0.998, 0.55 + 0.14 * (column - place)),
    ),
  })),
  together: [0.55, 0.48, 0.61, 0.9, 0.52],
};

const values: Figure = {
  kind: "intervals",
  id: "values",
  title: "Sixty-four evaluations settle the lowest four groups at horizon 4",
  subtitle: "Estimates with 95% intervals, groups of three blocks, lowest (remove first) on top; nats",
  caption: "Beside each group the chance of truly being among the lowest k.",
  protocols: ["P4"],
  description: "Dots with intervals for ten groups of blocks under two targets, and how sure the lowest are.",
  groups: [
    { title: "Horizon-4 value", tone: "green", value: { name: "value", unit: "nats" }, players, lowest },
    {
      title: "Shapley value",
      tone: "violet",
      value: { name: "value", unit: "nats" },
      players: players.map((player, index) => (index === 6 ? { name: player.name, value: null } : player)),
      lowest: { k: lowest.k, players: lowest.players },
    },
  ],
};

const choices = [
  { name: "whole model", family: "block", size: 134.5, kv: 45, ppl: WHOLE },
  ...kinds.flatMap(({ name }, kind) =>
    [2, 4, 6, 8].map((count) => ({
      name: `${count} × ${name} removed`,
      family: name as string,
      label: `−${count}`,
      size: 134.5 - count * ([3.54, 0.88, 2.65][kind] ?? 0),
      kv: kind === 2 ? 45 : 45 - count * 1.5,
      ppl: perplexity(count * ([0.14, 0.06, 0.2][kind] ?? 0)),
    })),
  ),
];

const cost: Figure = {
  kind: "scatter",
  id: "cost",
  title: "What you save decides what to remove",
  subtitle: "Perplexity (log scale) by size, cache and speed; filled marks are on the Pareto front",
  caption: "Blocks make the front for size and speed, attention for the cache.",
  protocols: ["P1", "P5"],
  description:
    "Three scatter plots of perplexity against parameters, cache and speed, the Pareto front a step line.",
  families: [...kinds],
  whiskers: "quartiles",
  panels: [
    {
      title: "parameters, millions",
      x: { name: "parameters", unit: "M" },
      y: { name: "perplexity", scale: "log", format: { digits: 1 } },
      better: { x: "lower", y: "lower" },
      points: choices.map(({ size, ppl, ...rest }) => ({
        name: rest.name,
        family: rest.family,
        ...("label" in rest ? { label: rest.label as string } : {}),
        x: Number(size.toFixed(2)),
        y: ppl,
      })),
    },
    {
      title: "KV cache, KiB per token",
      x: { name: "cache", unit: "KiB per token" },
      y: { name: "perplexity", scale: "log", format: { digits: 1 } },
      better: { x: "lower", y: "lower" },
      points: choices.map(({ name, family, kv, ppl }) => ({ name, family, x: kv, y: ppl })),
    },
    {
      title: "writing speed, times dense",
      x: { name: "speed", format: { style: "times", digits: 1 } },
      y: { name: "perplexity", scale: "log", format: { digits: 1 } },
      better: { x: "higher", y: "lower" },
      points: choices.map(({ name, family, size, ppl }) => {
        const x = Number((1 + (134.5 - size) / 90).toFixed(3));
        return { name, family, x, xLow: x - 0.03, xHigh: x + 0.04, y: ppl };
      }),
    },
  ],
};

const text: Figure = {
  kind: "texts",
  id: "text",
  title: "The first four blocks cost grammar nothing and facts something",
  subtitle: "Greedy continuations of one prompt, 22 tokens",
  caption: "An illustration, not a measurement.",
  protocols: ["P5"],
  description: "What the whole model, the pruned model and the repaired model write after the same prompts.",
  prompts: [
    {
      prompt: "The capital of France is",
      answers: [
        {
          name: "whole model",
          text: " Paris. It is the largest city in the country.\n\nThe city lies on the Seine",
        },
        {
          name: "4 blocks removed",
          detail: "14, 17, 13, 25",
          text: " the city of the city, and the <city> of the & city",
          tone: "orange",
        },
        { name: "removed, low-rank 32", text: " Paris, and the city is the capital of the region" },
      ],
    },
  ],
};

/** A whole report. */
export const sampleDocument: ReportDocument = {
  kicker: ["Study report", "a made-up model", "30 blocks"],
  title: "No block is free, but one pass over text repairs about half the damage",
  standfirst:
    "Eight rankings chose which of the 30 blocks go first, and six repairs tried to close the gap. The " +
    "first block costs 14% in perplexity, the first three 50%. These numbers are made by formulas for the " +
    "tests of depthkit; nothing was measured.",
  numbers: [
    { value: "+14%", text: "perplexity without the best single block: 30.4 to 34.8" },
    { value: "+50%", text: "without three, a tenth of the depth" },
    { value: "52%", text: "of the added loss won back at five blocks by low-rank 128, in one pass" },
    { value: "×1.31", text: "writing speed without eight blocks, and 27% less KV cache" },
  ],
  findings: [
    {
      claim: "Cheap rankings are good enough early.",
      text: ["At two blocks all rankings lie close together (", { figure: "removal" }, ")."],
    },
    {
      claim: "Repair in closed form first.",
      text: [
        "Low-rank 128 takes back half of the loss (",
        { figure: "repairs" },
        "), by ",
        { protocol: "P3" },
        ".",
      ],
    },
    {
      claim: "A constant is no repair.",
      text: ["It helps at one block; see ", { section: "repair", text: "the repairs" }, "."],
    },
  ],
  sections: [
    { id: "costs", heading: "What removal costs", paragraphs: [], figures: [removal] },
    {
      id: "weight",
      heading: "Where the weight lies",
      paragraphs: [["Each metric reads the depth ", { strong: "in its own way" }, "."]],
      figures: [influence, spans],
    },
    { id: "worth", heading: "Shapley and horizon values", paragraphs: [], figures: [values, interactions] },
    { id: "repair", heading: "Repair", paragraphs: [], figures: [repairs, repairTable] },
    { id: "trade", heading: "Quality against cost", paragraphs: [], figures: [cost] },
    {
      id: "written",
      heading: "Text before and after",
      paragraphs: [],
      figures: [text],
      note: "One prompt is an illustration, not a measurement.",
    },
  ],
  verdicts: {
    heading: "The paper’s claims",
    introduction: "One held, one did not, one cannot be told from these numbers.",
    claims: [
      {
        verdict: "did-not-hold",
        claim: "About 10% of the blocks go nearly free",
        measured: "+0.44 nats",
        interval: "95% 0.39 to 0.49",
        evidence: "Three of 30 blocks by cosine.",
        figure: "removal",
      },
      {
        verdict: "held",
        claim: "The emulated update matches a constant trained for a little while",
        measured: "0.03 nats apart",
        evidence: "At one to ten blocks.",
        figure: "repairs",
      },
      {
        verdict: "cannot-be-told",
        claim: "Adaptive metrics trade one task for another",
        evidence: "No task was scored.",
      },
    ],
    rule: [
      { strong: "Held" },
      ": the interval lies within the claim. ",
      { strong: "Did not hold" },
      ": it lies outside. ",
      { strong: "Cannot be told" },
      ": neither, or it was not measured.",
    ],
  },
  protocols: [
    {
      id: "P1",
      name: "Perplexity",
      description: "Test text, first 8 chunks of 512 tokens, fp32. Whole model 30.4.",
    },
    { id: "P2", name: "Influence", description: "Training text, 8 × 128 tokens, fp32." },
    {
      id: "P3",
      name: "Repairs",
      description: ["Fitted to 32 × 256 tokens; scored as ", { protocol: "P1" }, "."],
    },
    {
      id: "P4",
      name: "Game of ten groups",
      description: "Three neighbouring blocks per group, 64 of 1,024 coalitions, seed 7.",
    },
    {
      id: "P5",
      name: "Profile",
      description: "Batch 1, 64 tokens of context, 5 alternating rounds: median and quartiles.",
    },
  ],
  protocolNote: "P1 and P2 read different text, so their figures never share an axis.",
  environment: [
    { name: "model", value: "a made-up model, 30 blocks, 134,515,008 parameters" },
    { name: "weights", value: "sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
    { name: "device", value: "2 CPU cores" },
  ],
  footer: "Made for tests: no number here was measured.",
};
