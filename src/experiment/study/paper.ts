/**
 * The study of "A deeper look at depth pruning of LLMs" (arXiv 2407.16286) as a plan: static and adaptive
 * metrics of blocks and sublayers, removals on text and on questions, and how cheaply the first ones are
 * repaired.
 */
import type { TextData } from "../../evaluation/text-data.ts";
import type { TaskData } from "../../model/task-data.ts";
import { aFlag, aText, aWhole, type Check, type Checks, checkOptions, required } from "../../options.ts";
import type { Plan } from "./plan.ts";

/** What `paperPlan` takes. */
export interface PaperPlanOptions {
  /** A bundled name, a folder, a `.gguf` file or a hub id. */
  model: string;
  /** Its blocks: removals are set by them. */
  depth: number;
  /** What units are ranked on and repairs fitted to. */
  calibration: TextData;
  /** What perplexity is measured on, of another part or kind. */
  text: TextData;
  /**
   * Multiple choice, such as MMLU's: a share of it decides, all of it measures. Default: small written tasks.
   */
  questions?: TaskData | undefined;
  /** Examples in front of each question; default 5. */
  shots?: number | undefined;
  /** Tokens of a chunk that perplexity is measured on; calibration takes half of it. Default 512. */
  length?: number | undefined;
  /** A smaller study, a few minutes on two cores with the bundled model. */
  quick?: boolean | undefined;
}

/** What it must be exactly, the plan's own checks say when it is run. */
const data: Check = {
  allowed: "a path, or an object that says what is read",
  holds: (value) =>
    (typeof value === "string" && value !== "") || (typeof value === "object" && value !== null),
};
const checks: Checks<PaperPlanOptions> = {
  model: required(aText),
  depth: required(aWhole(4)),
  calibration: required(data),
  text: required(data),
  questions: data,
  shots: aWhole(0, 5),
  length: aWhole(16),
  quick: aFlag,
};

/**
 * The plan, to be run as it is or changed first. Its record is put to the paper's claims by the report.
 *
 * @throws DepthkitError INVALID_ARGUMENT
 */
export function paperPlan(options: PaperPlanOptions): Plan {
  checkOptions("paperPlan", options, checks);
  const { model, depth, calibration, text, questions, shots = 5, length = 512, quick = false } = options;
  const tenth = Math.max(1, Math.round(depth / 10));
  const third = Math.round(depth / 3);
  const some = quick ? [1, tenth, third] : [1, 2, tenth, Math.round(depth / 5), third];
  const removals = [...new Set(some)].sort((a, b) => a - b);
  const first = removals.filter((count) => count <= tenth);
  const half = Math.ceil(depth / 2);
  const training = { steps: quick ? 16 : 40, batchSize: quick ? 1 : 2, validation: 0 };
  const repaired = { rankings: ["cosine"], counts: first };
  const deciding =
    questions === undefined
      ? []
      : [
          {
            by: "leave-one-out",
            name: "accuracy",
            candidates: half,
            on: { data: questions, shots, limit: quick ? 20 : 60 },
          } as const,
        ];
  return {
    title: "A deeper look at depth pruning",
    claims: "depth-pruning",
    model,
    calibration: {
      name: "calibration",
      data: calibration,
      sequences: quick ? 4 : 16,
      length: Math.floor(length / 2),
      choose: [quick ? 2 : 4],
    },
    rankings: [
      { by: "influence", metric: { each: quick ? ["cosine"] : ["cosine", "relative-l2", "taylor"] } },
      { by: "influence", units: "attention" },
      { by: "influence", units: "feed-forward" },
      { by: "influence", name: "mixed sublayers", units: ["attention", "feed-forward"] },
      { by: "influence", name: "mixed, block scores", units: ["attention", "feed-forward"], of: "block" },
      { by: "leave-one-out", name: "leave-one-out", candidates: half },
      { by: "values", name: "Shapley", target: "shapley", candidates: half, evaluations: 2 * half + 2 },
      ...(quick
        ? []
        : [
            {
              by: "search",
              name: "iterative cosine",
              strategy: "iterative",
              scores: { metric: "cosine" },
            } as const,
          ]),
      { by: "search", recipe: "tail" },
      ...deciding,
    ],
    removals,
    repairs: [
      { name: "emulated update", steps: [{ method: "emulated-update" }], where: repaired },
      {
        name: "trained constant",
        steps: [{ method: "bias", training: { ...training, objective: { loss: 1 } } }],
        where: repaired,
      },
      ...(["loss", "hidden", "kl"] as const).map((objective) => ({
        name: `low-rank by ${objective}`,
        steps: [
          {
            method: "low-rank",
            rank: 8,
            training: { ...training, objective: { kl: 0, [objective]: 1 } },
          } as const,
        ],
        where: repaired,
      })),
    ],
    evaluations: [
      { kind: "perplexity", name: "text", data: text, chunk: length, maxChunks: quick ? 4 : 12 },
      questions === undefined
        ? {
            kind: "probe",
            name: "sums",
            probe: "sums",
            items: quick ? 12 : 30,
            where: { repairs: ["none"] },
          }
        : { kind: "questions", name: "questions", data: questions, shots, limit: quick ? 40 : 200 },
    ],
  };
}
