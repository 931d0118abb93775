import type { RepairOptions } from "../../model/repair.ts";
import type { ModelSearchOptions } from "../../model/search/options.ts";
import type { PruneRecipeName } from "./names.ts";

/** A published way to choose blocks and to repair what is left, on the text of the other contenders. */
export interface PruneRecipe {
  readonly paper: string;
  readonly arXiv: string;
  readonly choose: Pick<ModelSearchOptions, "recipe" | "strategy" | "scores">;
  /** Of a model of this width. */
  readonly repair: (hiddenSize: number) => RepairOptions;
}

/** A full map of the stream as it is, without a constant and all but unridged. */
const ghosted = (hiddenSize: number): RepairOptions => ({
  method: "low-rank",
  rank: hiddenSize,
  input: "raw",
  constant: false,
  ridge: 1e-6,
});

/** Each round of the removal is measured with it in place, and it is what is left in place. */
const scaled = { method: "scale", ratio: "mean", reference: "pruned" } as const satisfies RepairOptions;

/** docs/prune.md says where one differs from its paper. */
export const pruneRecipes: Readonly<Record<PruneRecipeName, PruneRecipe>> = {
  "ghosted-span": {
    paper: "Ghosted Layers, on a span by cosine",
    arXiv: "2605.15491",
    choose: { recipe: "llm-streamline" },
    repair: ghosted,
  },
  "ghosted-sleb": {
    paper: "Ghosted Layers, on SLEB's choice",
    arXiv: "2605.15491",
    choose: { recipe: "sleb" },
    repair: ghosted,
  },
  replaceme: {
    paper: "ReplaceMe, by least squares",
    arXiv: "2505.02819",
    choose: { recipe: "llm-streamline" },
    repair: () => ({ method: "fold" }),
  },
  "replaceme-cosine": {
    paper: "ReplaceMe, by cosine",
    arXiv: "2505.02819",
    choose: { recipe: "llm-streamline" },
    repair: () => ({ method: "fold", objective: "cosine" }),
  },
  linearpatch: {
    paper: "LinearPatch",
    arXiv: "2505.24680",
    choose: { recipe: "llm-streamline" },
    repair: () => ({ method: "patch" }),
  },
  "prune-comp": {
    paper: "Prune&Comp",
    arXiv: "2507.18212",
    choose: { strategy: "iterative", scores: { metric: "cosine", repair: scaled } },
    repair: () => scaled,
  },
  "partial-tail": {
    paper: "Partial tuning of the tail",
    arXiv: "2411.15558",
    choose: { recipe: "tail" },
    repair: () => ({ method: "partial", training: { objective: { kl: 0, loss: 1 } } }),
  },
};
