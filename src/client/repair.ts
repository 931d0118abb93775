import { resolve } from "node:path";
import { DepthkitError } from "../errors.ts";
import type { RepairMethod, RepairReport, TrainingPoint } from "../protocol/repair.ts";
import type { CallOptions } from "./connection.ts";

/** Whether a method looks at the whole model, or at the one pruned and repaired below each gap. */
export type RepairReference = "dense" | "pruned";

/** How the trained methods train. */
export interface TrainingOptions {
  /**
   * Weights of the sum that is lowered: `kl` from the dense model's logits (the default), next-token
   * `loss`, and `hidden`, the error of the stream behind each gap.
   */
  objective?: { kl?: number; loss?: number; hidden?: number };
  /** Of the dense model's logits at a position, how many are kept for `kl`. Default 100. */
  teacherTop?: number;
  /** Optimiser steps. Default 200. */
  steps?: number;
  /** Sequences a forward pass. Default 4. */
  batchSize?: number;
  /** Forward passes a step. Default 1. */
  accumulation?: number;
  /** The highest, reached after the warm-up. Default 1e-3, for LoRA and blocks 2e-4. */
  learningRate?: number;
  /** Steps of linear warm-up; a cosine to 0 follows. Default a tenth of the steps. */
  warmup?: number;
  /** Largest norm of the gradient; null: not clipped. Default 1. */
  clip?: number | null;
  /** Default 0. */
  weightDecay?: number;
  /** Compute activations again in the backward pass: less memory, a third more time. Default false. */
  activationCheckpointing?: boolean;
  /** Sequences held out from the corpus's end; the best state on them is kept. Default an eighth of the corpus. */
  validation?: number;
  /** Steps from one validation to the next. Default a tenth of the steps. */
  validateEvery?: number;
  /** Validations without improvement before it stops. Default: never. */
  patience?: number;
  /** A folder for checkpoints: an interrupted training goes on from it. Default: none are kept. */
  folder?: string;
  /** Steps from one checkpoint to the next. Default 50. */
  saveEvery?: number;
  /** Default 0. */
  seed?: number;
}

/** The repair methods (docs/repair.md) and their settings. */
export type RepairMethodOptions =
  | {
      /** The mean of what the unit added, as a constant. No training (arXiv 2407.16286). */
      method: "emulated-update";
      /** Default `dense`. */
      reference?: RepairReference;
      /** What the mean is multiplied by. Default 1. */
      scale?: number;
    }
  /** The same vector, trained. */
  | { method: "bias"; training?: TrainingOptions }
  | {
      /** x + U V norm(x) + b. */
      method: "low-rank";
      /** Default 32. */
      rank?: number;
      /** `normed` (default) exports exactly; `raw` reads the stream as it is. */
      input?: "normed" | "raw";
      /** `closed-form` (default): ridge regression of reduced rank; `trained`: from there on by gradient. */
      fit?: "closed-form" | "trained";
      reference?: RepairReference;
      /** In units of the input's mean square. Default 1e-2. */
      ridge?: number;
      training?: TrainingOptions;
    }
  | {
      /** A matrix and a bias folded into the feed-forward before the gap (arXiv 2505.02819). */
      method: "fold";
      reference?: RepairReference;
      /** Towards the identity, in units of the input's mean square; Infinity: a bias alone. Default 0.1. */
      ridge?: number;
    }
  /** A diagonal scaling in a rotated basis (arXiv 2505.24680); `training` trains the whole matrix. */
  | { method: "patch"; training?: TrainingOptions }
  /** One block in place of a run, started from the run's first (arXiv 2403.19135). */
  | { method: "replacement-block"; training?: TrainingOptions }
  | {
      /** Low-rank changes to the blocks that stay, merged at export. */
      method: "lora";
      /** Default 8. */
      rank?: number;
      /** Default twice the rank. */
      alpha?: number;
      /** Default 0. */
      dropout?: number;
      /** `attention`, `feed-forward` (the default alone) or names of linear modules. */
      targets?: readonly string[];
      /** First and last block to heal, by their numbers in the whole model. */
      blocks?: { first?: number; last?: number };
      /** Masked rank-1 experts (arXiv 2405.18897): the probability that one is left out of a pass. */
      experts?: { probability: number };
      training?: TrainingOptions;
    };

export type RepairOptions = RepairMethodOptions &
  CallOptions & {
    /** First tokens of each sequence that no statistic counts: their activations dwarf the rest. Default 0. */
    skipTokens?: number;
    /** Sequences a pass of measuring. Default: chosen for the device. */
    batchSize?: number;
    /** Hears of each training step: objective, validation, tokens a second, time left. */
    onTraining?: (point: TrainingPoint) => void;
  };

export type { RepairReport, TrainingPoint };

/** The wire form, with every default filled in. `sequences`: of the corpus, for what is held out. */
export function toRepairMethod(options: RepairMethodOptions, sequences: number): RepairMethod {
  switch (options.method) {
    case "emulated-update":
      return { kind: options.method, reference: options.reference ?? "dense", scale: options.scale ?? 1 };
    case "bias":
      return { kind: options.method, training: toTraining(options.training ?? {}, sequences) };
    case "low-rank": {
      const { rank = 32, input = "normed", fit = "closed-form", reference = "dense", ridge = 1e-2 } = options;
      if (fit === "closed-form" && options.training !== undefined) {
        throw new DepthkitError(
          "INVALID_ARGUMENT",
          'The low-rank repair was given `training` with fit "closed-form", which trains nothing; use fit "trained".',
        );
      }
      const training = fit === "trained" ? toTraining(options.training ?? {}, sequences) : null;
      return { kind: options.method, rank, input, reference, ridge, training };
    }
    case "fold": {
      const { reference = "dense", ridge = 0.1 } = options;
      return { kind: options.method, reference, ridge: ridge === Number.POSITIVE_INFINITY ? null : ridge };
    }
    case "patch":
      return { kind: options.method, training: maybeTraining(options.training, sequences) };
    case "replacement-block":
      return { kind: options.method, training: maybeTraining(options.training, sequences, 2e-4) };
    case "lora": {
      const {
        rank = 8,
        alpha = 2 * rank,
        dropout = 0,
        targets = ["feed-forward"],
        blocks,
        experts,
      } = options;
      return {
        kind: options.method,
        rank,
        alpha,
        dropout,
        targets: [...targets],
        first: blocks?.first ?? null,
        last: blocks?.last ?? null,
        experts: experts ?? null,
        training: toTraining(options.training ?? {}, sequences, 2e-4),
      };
    }
    default: {
      const { method } = options as { method: string };
      throw new DepthkitError(
        "INVALID_ARGUMENT",
        `"${method}" is no repair method; methods: emulated-update, bias, low-rank, fold, patch, replacement-block, lora.`,
      );
    }
  }
}

function maybeTraining(options: TrainingOptions | undefined, sequences: number, learningRate?: number) {
  return options === undefined ? null : toTraining(options, sequences, learningRate);
}

function toTraining(options: TrainingOptions, sequences: number, usualRate = 1e-3) {
  const { objective = { kl: 1 }, steps = 200 } = options;
  const tenth = Math.max(1, Math.floor(steps / 10));
  return {
    objective: { kl: objective.kl ?? 0, loss: objective.loss ?? 0, hidden: objective.hidden ?? 0 },
    teacherTop: options.teacherTop ?? 100,
    steps,
    batchSize: options.batchSize ?? 4,
    accumulation: options.accumulation ?? 1,
    learningRate: options.learningRate ?? usualRate,
    warmup: options.warmup ?? tenth,
    clip: options.clip === undefined ? 1 : options.clip,
    weightDecay: options.weightDecay ?? 0,
    activationCheckpointing: options.activationCheckpointing ?? false,
    validation: options.validation ?? Math.floor(sequences / 8),
    validateEvery: options.validateEvery ?? tenth,
    patience: options.patience ?? null,
    folder: options.folder === undefined ? null : resolve(options.folder),
    saveEvery: options.saveEvery ?? 50,
    seed: options.seed ?? 0,
  };
}
