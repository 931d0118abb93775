import { z } from "zod";
import { corpusHandle, modelHandle, repairHandle, subject, unitName } from "./common.ts";
import {
  count,
  digest,
  extending,
  finite,
  list,
  MOST_AT_A_TIME,
  named,
  notNegative,
  path,
  positive,
  share,
  upTo,
} from "./schema.ts";

const objective = named(
  "Objective",
  z
    .strictObject({
      kl: notNegative().default(0).describe("KL from the dense model's logits, stored as its top ones."),
      loss: notNegative().default(0).describe("Next-token cross entropy."),
      hidden: notNegative()
        .default(0)
        .describe("Squared error of the stream behind each gap, by the stream's own square."),
    })
    .describe("Weights of the sum that training lowers."),
);

/** Options of trained repairs. */
export const trainingOptions = named(
  "TrainingOptions",
  z.strictObject({
    objective: objective.default({ kl: 1, loss: 0, hidden: 0 }),
    teacherTop: count(1)
      .default(100)
      .describe("Of the dense model's logits at a position, how many are kept for kl."),
    writtenOnly: z
      .boolean()
      .default(false)
      .describe("On a corpus that a model wrote: kl and loss are of the written tokens alone."),
    steps: count(1).default(200).describe("Optimiser steps."),
    batchSize: upTo(MOST_AT_A_TIME).default(4).describe("Sequences a forward pass."),
    accumulation: upTo(MOST_AT_A_TIME).default(1).describe("Forward passes a step."),
    learningRate: positive(100)
      .nullable()
      .default(null)
      .describe(
        "The highest, reached after the warm-up; null: 1e-3, for lora, partial and a replacement block 2e-4.",
      ),
    warmup: count()
      .nullable()
      .default(null)
      .describe("Steps of linear warm-up; a cosine to 0 follows. null: a tenth of the steps."),
    clip: positive().nullable().default(1).describe("Largest norm of the gradient; null: not clipped."),
    weightDecay: notNegative(100).default(0).describe("Of all that is trained."),
    activationCheckpointing: z
      .boolean()
      .default(false)
      .describe("Compute activations again in the backward pass: less memory, a third more time."),
    validation: count()
      .nullable()
      .default(null)
      .describe(
        "Sequences held out from the corpus's end, the best state on them is kept; 0: none, the last " +
          "state is kept; null: an eighth of the corpus.",
      ),
    validateEvery: count(1)
      .nullable()
      .default(null)
      .describe("Steps from one validation to the next; null: a tenth of the steps."),
    patience: count(1)
      .nullable()
      .default(null)
      .describe("Validations without improvement before it stops; null: never."),
    folder: path()
      .nullable()
      .default(null)
      .describe("For checkpoints: an interrupted training goes on from them; null: none are kept."),
    saveEvery: count(1).default(50).describe("Steps from one checkpoint to the next."),
    seed: count().default(0).describe("For the order of the sequences, and dropout."),
  }),
);
/** Training that a method can do without: null says so. */
const maybeTraining = trainingOptions.nullable().default(null);
const everyDefault = () => trainingOptions.parse({});

const repairReferences = ["dense", "pruned"] as const;
/**
 * `dense`: what the unit adds in the whole model; `pruned`: in the model already pruned and repaired below
 * it.
 */
export const repairReference = named("RepairReference", z.enum(repairReferences));
const reference = repairReference
  .default("dense")
  .describe("Measure in the whole model, or in the one pruned and repaired below each gap.");

/** The mean of what the unit added, as a constant. No training (arXiv 2407.16286). */
const emulatedUpdateOptions = named(
  "EmulatedUpdateOptions",
  z.strictObject({
    method: z.literal("emulated-update"),
    reference,
    scale: finite().default(1).describe("What the mean is multiplied by; 1: the mean."),
  }),
);
/** The same vector, trained. */
const biasOptions = named(
  "BiasOptions",
  z.strictObject({ method: z.literal("bias"), training: trainingOptions.default(everyDefault) }),
);
/** By the error of the gap on every fourth sequence, the others fitted to. */
const chosenRidge = z.enum(["auto"]);
const adapterInput = named("AdapterInput", z.enum(["normed", "raw"]));
/** x + U V norm(x) + b. */
const lowRankOptions = named(
  "LowRankOptions",
  z.strictObject({
    method: z.literal("low-rank"),
    rank: upTo(MOST_AT_A_TIME).default(32).describe("Rank of the map."),
    input: adapterInput.default("normed").describe("normed exports exactly; raw reads the stream as it is."),
    reference,
    constant: z.boolean().default(true).describe("Whether there is a b."),
    ridge: z
      .union([notNegative(), chosenRidge])
      .default(1e-2)
      .describe("In units of the input's mean square; auto: the one that held-out tokens choose."),
    training: maybeTraining.describe(
      "null: ridge regression of reduced rank in closed form, which is otherwise where training starts.",
    ),
  }),
);
const foldObjective = named("FoldObjective", z.enum(["least-squares", "cosine", "stream-cosine"]));
/** Adam on an objective of the fold that has no closed form. */
const foldDescent = named(
  "FoldDescent",
  z.strictObject({
    steps: count().default(200).describe("Steps of Adam; 0: the least squares it starts from."),
    learningRate: positive(100)
      .default(1e-4)
      .describe("At the first step; it falls to 0 in a straight line."),
    batchTokens: upTo(1_000_000).default(1024).describe("Tokens per step."),
    tokens: upTo(100_000_000)
      .default(32_768)
      .describe("Tokens of the corpus to keep the stream of, drawn by the seed where there are more."),
    seed: count().default(0).describe("For the tokens that are kept, and for their order."),
  }),
);
/** A matrix and a bias folded into the feed-forward before the gap (arXiv 2505.02819). */
const foldOptions = named(
  "FoldOptions",
  z.strictObject({
    method: z.literal("fold"),
    reference,
    ridge: z
      .union([notNegative(), chosenRidge])
      .nullable()
      .default(0.1)
      .describe(
        "Towards the identity, in units of the input's mean square; auto: the one that held-out tokens " +
          "choose; null: infinite, a bias alone.",
      ),
    objective: foldObjective
      .default("least-squares")
      .describe(
        "least-squares: in closed form; cosine: 1 - cos(F T + b, x_out - x_in + F), per token, which is " +
          "the paper's; stream-cosine: 1 - cos of the stream behind the gap. Both start from least squares.",
      ),
    descent: foldDescent
      .nullable()
      .default(null)
      .describe("How a cosine objective is lowered; null: by the defaults. Not for least squares."),
  }),
);
/** A diagonal scaling in a rotated basis (arXiv 2505.24680); training trains the whole matrix. */
const patchOptions = named(
  "PatchOptions",
  z.strictObject({ method: z.literal("patch"), training: maybeTraining.describe("null: untrained.") }),
);
const scaleRatio = named("ScaleRatio", z.enum(["mean", "median", "least-squares"]));
/** One factor for the stream behind the gap (arXiv 2507.18212), folded into weights at export. */
const scaleOptions = named(
  "ScaleOptions",
  z.strictObject({
    method: z.literal("scale"),
    reference,
    ratio: scaleRatio
      .default("median")
      .describe(
        "The stream behind the gap by that in front: of their mean norms, the median over tokens of the " +
          "ratios of norms, or the factor of least squares.",
      ),
  }),
);
const replacementKind = named("ReplacementKind", z.enum(["block", "feed-forward", "swiglu"]));
/** One block in place of a run, started from the run's first, or a small network (arXiv 2403.19135). */
const replacementBlockOptions = named(
  "ReplacementBlockOptions",
  z.strictObject({
    method: z.literal("replacement-block"),
    kind: replacementKind
      .default("block")
      .describe(
        "block: the run's first; feed-forward, swiglu: a network of that kind without a residual, from a " +
          "random start by the training's seed.",
      ),
    width: upTo(MOST_AT_A_TIME)
      .nullable()
      .default(null)
      .describe("Of a network; null: 4 times the hidden size, for swiglu 8/3 of it. A block has its own."),
    training: maybeTraining.describe("null: the run's first block as it is; a network is always trained."),
  }),
);
const healedBlocks = named(
  "HealedBlocks",
  z.strictObject({
    first: count().nullable().default(null).describe("By its number in the whole model; null: 0."),
    last: count().nullable().default(null).describe("null: the last there is."),
  }),
);
/** Masked rank-1 experts in place of plain LoRA (arXiv 2405.18897). */
const maskedExperts = named(
  "MaskedExperts",
  z.strictObject({ probability: share().describe("That a rank-1 expert is left out of a forward pass.") }),
);
/** Low-rank changes to the blocks that stay, merged at export. */
const loraOptions = named(
  "LoraOptions",
  z.strictObject({
    method: z.literal("lora"),
    rank: upTo(MOST_AT_A_TIME).default(8).describe("Rank of each change."),
    alpha: positive(1e6).nullable().default(null).describe("null: twice the rank."),
    dropout: share().default(0).describe("Of what an adapter reads, while it is trained."),
    targets: list(z.string().min(1), 1)
      .default(["feed-forward"])
      .describe("attention, feed-forward, or names of linear modules in a block."),
    blocks: healedBlocks
      .default({ first: null, last: null })
      .describe("First and last block that is healed."),
    experts: maskedExperts.nullable().default(null).describe("Masked rank-1 experts; null: plain LoRA."),
    training: trainingOptions.default(everyDefault),
  }),
);

const tunedBlocks = named("TunedBlocks", z.enum(["last", "neighbours"]));
/** Some of the blocks that stay, and the head, trained whole (arXiv 2411.15558). */
const partialOptions = named(
  "PartialOptions",
  z.strictObject({
    method: z.literal("partial"),
    tuned: tunedBlocks
      .default("last")
      .describe("The last blocks that stay, or those next to each gap and in it."),
    count: upTo(MOST_AT_A_TIME)
      .default(3)
      .describe("How many blocks: of the last, or on each side of a gap."),
    head: z.boolean().default(true).describe("Whether the output head is tuned too; a tied one is untied."),
    training: trainingOptions.default(everyDefault),
  }),
);

/** A method of repair with its settings. */
export const repairMethod = named(
  "RepairMethod",
  z.discriminatedUnion("method", [
    emulatedUpdateOptions,
    biasOptions,
    lowRankOptions,
    foldOptions,
    patchOptions,
    scaleOptions,
    replacementBlockOptions,
    loraOptions,
    partialOptions,
  ]),
);

/** Methods that can stand in for any gap while sets are scored, where they are not trained. */
export const gapRepairMethods = ["emulated-update", "low-rank", "patch"] as const;

/** Methods that are trained, whatever is said: the others are fitted in closed form unless asked to train. */
export const trainedMethods = repairMethod.options
  .filter(({ shape }) => "training" in shape && shape.training.parse(undefined) !== null)
  .map(({ shape }) => shape.method.value);

/** Options of the fit of a repair. */
export const repairFitOptions = named(
  "RepairFitOptions",
  z.strictObject({
    skipTokens: count()
      .default(0)
      .describe("First tokens of each sequence that no statistic counts: their activations dwarf the rest."),
    batchSize: upTo(MOST_AT_A_TIME)
      .nullable()
      .default(null)
      .describe("Sequences a pass of measuring; null: chosen for the device."),
  }),
);

export const repairFitParams = extending("RepairFitParams", repairFitOptions, {
  ...subject,
  corpus: corpusHandle,
  repair: repairMethod,
  apart: list(list(unitName, 1))
    .default([])
    .describe(
      "Gaps to fit each by itself in the whole model, in one pass, in place of the subnetwork's own.",
    ),
});

export const repairInfo = named(
  "RepairInfo",
  z.object({
    method: z.string().describe("The method that made it."),
    removed: list(unitName).describe("The units it makes up for."),
    parameters: count().describe("Numbers it adds to the model in memory; 0 where it changes weights only."),
    digest: digest().describe("sha256 of what it holds."),
    base: list(digest()).describe("Digests of the repairs it was made on top of."),
  }),
);
/** What a repair is: its method, its place and its size. */
export type RepairInfo = z.infer<typeof repairInfo>;

const foldDescentReport = named(
  "FoldDescentReport",
  z.object({
    before: finite().describe("The objective with least squares, mean over the tokens kept."),
    after: finite().describe("With the map that was taken, over the same tokens."),
    steps: count().describe("Steps that were taken."),
    tokens: count(1).describe("Tokens kept."),
  }),
);

const gapError = named(
  "GapError",
  z
    .object({
      removed: list(unitName).describe("The units of the gap."),
      removedError: finite().describe("Without the repair."),
      repairedError: finite().describe("With the repair."),
      removedErrorAll: finite().describe("The same with the first tokens counted."),
      repairedErrorAll: finite().describe("With the repair and the first tokens counted."),
      factor: finite().nullable().describe("What scale multiplies the stream by; null for other methods."),
      ridge: finite().nullable().describe("What ridge auto chose; null where it was not asked for."),
      heldOutError: finite()
        .nullable()
        .describe("With that ridge, of the held-out tokens by the fit to the others."),
      descent: foldDescentReport
        .nullable()
        .describe("How fold lowered a cosine objective; null where it was not asked to."),
    })
    .describe("Squared error of the stream behind the gap, by the square of the update that was removed."),
);

export const trainingPoint = named(
  "TrainingPoint",
  z.object({
    step: count().describe("Optimiser steps taken so far."),
    objective: finite()
      .nullable()
      .describe("Of this step's batch; null for the state before the first step."),
    validation: finite()
      .nullable()
      .describe("On the held-out sequences, where they were scored after this step."),
    learningRate: finite().describe("Of this step."),
    gradientNorm: finite().nullable().describe("Before clipping; null before the first step."),
    tokensPerSecond: finite().describe("Since training began."),
    secondsLeft: finite()
      .nullable()
      .describe("Until the last step, by the speed so far; null before the first step."),
  }),
);
/** A step of training, and what it came to. */
export type TrainingPoint = z.infer<typeof trainingPoint>;

const trainingReport = named(
  "TrainingReport",
  z.object({
    trained: count().describe("Parameters that were trained."),
    steps: count().describe("Optimiser steps that were taken."),
    bestStep: count().describe("The step whose state was kept."),
    tokens: count().describe("Tokens that went through training passes."),
    stopped: z
      .enum(["steps", "patience"])
      .describe("steps: all were taken; patience: validation no longer improved."),
    resumedFrom: count().nullable().describe("The step of the checkpoint it went on from."),
    skippedCheckpoints: list(z.string()).describe("Checkpoints that were incomplete or damaged."),
    change: finite().describe("Norm of the change of all trained parameters."),
    points: list(trainingPoint).describe("How it went, step by step."),
  }),
);

export const repairReport = named(
  "RepairReport",
  z.object({
    repairs: list(repairInfo).describe("One per gap, from the bottom up, or one for the model as a whole."),
    gaps: list(gapError).describe("Where the method fits the stream behind each gap."),
    training: trainingReport.nullable().describe("How it was trained; null where it was not."),
    sequences: count(1).describe("Sequences measured on."),
    tokens: count(1).describe("Tokens measured on."),
    skipTokens: count().describe("Tokens at each sequence's start that were left out."),
    weightsUnchanged: z.boolean().describe("The dense weights are bit for bit what they were, by checksum."),
    peakBytes: count().describe("Highest memory of the process, or of its GPUs together, during the call."),
    notes: list(z.string()).describe("What did not go as planned."),
    seconds: finite().describe("Seconds it took."),
  }),
);
/** How the fit of a repair went. */
export type RepairReport = z.infer<typeof repairReport>;

export const repairFitResult = named(
  "RepairFitResult",
  z.object({
    repairs: list(repairHandle).describe("Of the report's repairs, in their order."),
    report: repairReport,
  }),
);

/** Options of saving repairs. */
export const repairSaveOptions = named(
  "RepairSaveOptions",
  z.strictObject({
    overwrite: z
      .boolean()
      .default(false)
      .describe("Replace a subnetwork saved there before; a folder that is not empty is refused otherwise."),
  }),
);

export const repairSaveParams = extending("RepairSaveParams", repairSaveOptions, {
  ...subject,
  folder: path().describe("The folder to write."),
});
export const repairLoadParams = named(
  "RepairLoadParams",
  z.strictObject({ model: modelHandle, folder: path() }),
);
export const repairLoadResult = named(
  "RepairLoadResult",
  z.object({
    removed: list(unitName).describe("All units that the saved subnetwork is without."),
    repairs: list(repairHandle),
    infos: list(repairInfo).describe("Of the repairs, in their order."),
  }),
);
export const repairSaveResult = named("RepairSaveResult", z.object({ folder: z.string(), bytes: count() }));
export const repairUnloadParams = named(
  "RepairUnloadParams",
  z.strictObject({ repairs: list(repairHandle) }),
);
