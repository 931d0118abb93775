import { z } from "zod";
import { corpusHandle, modelHandle, repairHandle, subject, unitName } from "./common.ts";
import { count, digest, finite, named } from "./schema.ts";

const share = () => finite().min(0).max(1);
const positive = () => z.number().gt(0).max(Number.MAX_VALUE);
const notNegative = () => z.number().min(0).max(Number.MAX_VALUE);

export const objective = named(
  "Objective",
  z
    .strictObject({
      kl: notNegative().describe("KL from the dense model's logits, stored as its top ones."),
      loss: notNegative().describe("Next-token cross entropy."),
      hidden: notNegative().describe(
        "Squared error of the stream behind each gap, by the stream's own square.",
      ),
    })
    .describe("Weights of the sum that training lowers."),
);

export const training = named(
  "Training",
  z.strictObject({
    objective,
    teacherTop: count(1).describe("Of the dense model's logits at a position, how many are kept for kl."),
    steps: count(1).describe("Optimiser steps."),
    batchSize: count(1).describe("Sequences a forward pass."),
    accumulation: count(1).describe("Forward passes a step."),
    learningRate: positive(),
    warmup: count().describe("Steps of linear warm-up; a cosine to 0 follows."),
    clip: positive().nullable().describe("Largest norm of the gradient; null: not clipped."),
    weightDecay: notNegative(),
    activationCheckpointing: z.boolean(),
    validation: count().describe(
      "Sequences held out from the corpus's end; 0: none, the last state is kept.",
    ),
    validateEvery: count(1).describe("Steps from one validation to the next."),
    patience: count(1).nullable().describe("Validations without improvement before it stops; null: never."),
    folder: z
      .string()
      .min(1)
      .nullable()
      .describe("Absolute path for checkpoints; an interrupted training resumes from it."),
    saveEvery: count(1).describe("Steps from one checkpoint to the next."),
    seed: count(),
  }),
);

export const repairReferences = ["dense", "pruned"] as const;
/** `dense`: what the unit adds in the whole model; `pruned`: in the model already pruned and repaired below it. */
export const repairReference = named("RepairReference", z.enum(repairReferences));

export const emulatedUpdate = named(
  "EmulatedUpdate",
  z.strictObject({
    kind: z.literal("emulated-update"),
    reference: repairReference,
    scale: finite().describe("What the mean is multiplied by; 1: the mean."),
  }),
);
export const biasRepair = named("BiasRepair", z.strictObject({ kind: z.literal("bias"), training }));
export const adapterInput = named("AdapterInput", z.enum(["normed", "raw"]));
export const lowRank = named(
  "LowRank",
  z.strictObject({
    kind: z.literal("low-rank"),
    rank: count(1),
    input: adapterInput,
    reference: repairReference,
    ridge: notNegative().describe("In units of the mean square of the input."),
    training: training.nullable().describe("null: closed-form, which is otherwise where training starts."),
  }),
);
export const foldRepair = named(
  "FoldRepair",
  z.strictObject({
    kind: z.literal("fold"),
    reference: repairReference,
    ridge: notNegative()
      .nullable()
      .describe("Towards the identity, in units of the input's mean square; null: infinite, a bias alone."),
  }),
);
export const patchRepair = named(
  "PatchRepair",
  z.strictObject({ kind: z.literal("patch"), training: training.nullable().describe("null: untrained.") }),
);
export const replacementBlock = named(
  "ReplacementBlock",
  z.strictObject({
    kind: z.literal("replacement-block"),
    training: training.nullable().describe("null: the span's first block as it is."),
  }),
);
export const maskedExperts = named(
  "MaskedExperts",
  z.strictObject({ probability: share().describe("That a rank-1 expert is left out of a forward pass.") }),
);
export const loraRepair = named(
  "LoraRepair",
  z.strictObject({
    kind: z.literal("lora"),
    rank: count(1),
    alpha: positive(),
    dropout: share(),
    targets: z
      .array(z.string().min(1))
      .min(1)
      .describe("`attention`, `feed-forward` or names of linear modules in a block."),
    first: count()
      .nullable()
      .describe("First block that is healed, by its number in the whole model; null: 0."),
    last: count().nullable().describe("Last block that is healed; null: the last there is."),
    experts: maskedExperts.nullable().describe("Masked rank-1 experts in place of plain LoRA."),
    training,
  }),
);

export const repairMethod = named(
  "RepairMethod",
  z.discriminatedUnion("kind", [
    emulatedUpdate,
    biasRepair,
    lowRank,
    foldRepair,
    patchRepair,
    replacementBlock,
    loraRepair,
  ]),
);
export type RepairMethod = z.infer<typeof repairMethod>;

export const repairFitParams = named(
  "RepairFitParams",
  z.strictObject({
    ...subject,
    corpus: corpusHandle,
    method: repairMethod,
    skipTokens: count().describe("First tokens of each sequence that no statistic counts."),
    batchSize: count(1).nullable().describe("Sequences a pass of measuring; null: chosen for the device."),
  }),
);

export const repairInfo = named(
  "RepairInfo",
  z.object({
    repair: repairHandle,
    method: z.string(),
    removed: z.array(unitName).describe("The units it makes up for."),
    parameters: count().describe("Numbers it adds to the model in memory; 0 where it changes weights only."),
    digest: digest(),
    base: z.array(digest()).describe("Digests of the repairs it was made on top of."),
  }),
);
export type RepairInfo = z.infer<typeof repairInfo>;

export const gapError = named(
  "GapError",
  z
    .object({
      removed: z.array(unitName),
      removedError: finite().describe("Without the repair."),
      repairedError: finite(),
      removedErrorAll: finite().describe("The same with the first tokens counted."),
      repairedErrorAll: finite(),
    })
    .describe("Squared error of the stream behind the gap, by the square of the update that was removed."),
);

export const trainingPoint = named(
  "TrainingPoint",
  z.object({
    step: count(),
    objective: finite()
      .nullable()
      .describe("Of this step's batch; null for the state before the first step."),
    validation: finite()
      .nullable()
      .describe("On the held-out sequences, where they were scored after this step."),
    learningRate: finite(),
    gradientNorm: finite().nullable(),
    tokensPerSecond: finite(),
    secondsLeft: finite().nullable(),
  }),
);
export type TrainingPoint = z.infer<typeof trainingPoint>;

export const trainingReport = named(
  "TrainingReport",
  z.object({
    trained: count().describe("Parameters that were trained."),
    steps: count().describe("Optimiser steps that were taken."),
    bestStep: count().describe("The step whose state was kept."),
    tokens: count().describe("Tokens that went through training passes."),
    stopped: z.enum(["steps", "patience"]),
    resumedFrom: count().nullable().describe("The step of the checkpoint it went on from."),
    skippedCheckpoints: z.array(z.string()).describe("Checkpoints that were incomplete or damaged."),
    change: finite().describe("Norm of the change of all trained parameters."),
    points: z.array(trainingPoint),
  }),
);

export const repairFitResult = named(
  "RepairFitResult",
  z.object({
    repairs: z.array(repairInfo).describe("One a gap, from the bottom up, or one for the model as a whole."),
    gaps: z.array(gapError).describe("Where the method fits the stream behind each gap."),
    training: trainingReport.nullable(),
    sequences: count(1),
    tokens: count(1).describe("Tokens measured on."),
    skipTokens: count(),
    weightsUnchanged: z.boolean().describe("The dense weights are bit for bit what they were, by checksum."),
    peakBytes: count().describe("Highest memory of the process, or of the device, during the call."),
    notes: z.array(z.string()),
    seconds: finite(),
  }),
);
export type RepairReport = z.infer<typeof repairFitResult>;

export const repairSaveParams = named(
  "RepairSaveParams",
  z.strictObject({
    ...subject,
    folder: z.string().min(1).describe("Absolute path of the folder to write."),
    overwrite: z.boolean(),
  }),
);
export const repairLoadParams = named(
  "RepairLoadParams",
  z.strictObject({ model: modelHandle, folder: z.string().min(1) }),
);
export const repairLoadResult = named(
  "RepairLoadResult",
  z.object({
    removed: z.array(unitName).describe("All units that the saved subnetwork is without."),
    repairs: z.array(repairInfo),
  }),
);
export const repairSaveResult = named("RepairSaveResult", z.object({ folder: z.string(), bytes: count() }));
export const repairUnloadParams = named("RepairUnloadParams", z.strictObject({ repair: repairHandle }));
