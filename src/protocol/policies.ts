/** Policies: from what a token or a sequence has seen so far to the units that run (docs/policies.md). */
import { z } from "zod";
import { corpusHandle, subject } from "./common.ts";
import { count, extending, finite, list, MOST_AT_A_TIME, named, share, upTo } from "./schema.ts";
import { measure } from "./subnetworks.ts";

/** The blocks that a policy is about. */
const window = {
  start: count().describe("The first block it is about: those before it always run (the cold start)."),
  end: count(1).describe("The first block behind these: from here on all run again (the cold end)."),
};
const warmUp = count().default(25).describe("Tokens at a text's beginning for which everything runs.");

const feedForwardSkipping = named(
  "FeedForwardSkipping",
  z
    .strictObject({
      kind: z.literal("feed-forward-skipping"),
      ...window,
      threshold: z
        .number()
        .min(-1)
        .max(2)
        .describe(
          "Least cosine of the stream in front of a feed-forward and behind it that lets the next be skipped; " +
            "above 1 none are.",
        ),
      run: upTo(MOST_AT_A_TIME).describe("Feed-forwards that a token skips in a row."),
      warmUp,
    })
    .describe("A token whose stream a feed-forward hardly turned skips those behind it (arXiv 2404.03865)."),
);

const fixedSkipping = named(
  "FixedSkipping",
  z
    .strictObject({
      kind: z.literal("fixed-skipping"),
      blocks: list(count(), 1).describe("Whose feed-forwards are skipped, each once."),
      warmUp,
    })
    .describe("The control that looks at nothing: every token skips the same feed-forwards."),
);

const randomSkipping = named(
  "RandomSkipping",
  z
    .strictObject({
      kind: z.literal("random-skipping"),
      ...window,
      share: share().describe("How likely each of these feed-forwards is skipped, for every token anew."),
      seed: count()
        .default(0)
        .describe("What is drawn depends on it, the block and the token's place alone."),
      warmUp,
    })
    .describe("The control that looks at nothing: feed-forwards drawn by lot."),
);

const promptSkipping = named(
  "PromptSkipping",
  z
    .strictObject({ kind: z.literal("prompt-skipping"), ...window })
    .describe(
      "Blocks that leave the stream of a prompt's tokens as it is, but for the last one, and keep keys and " +
        "values of it; what is written has all of them (arXiv 2602.03295).",
    ),
);

export const policy = named(
  "Policy",
  z.discriminatedUnion("kind", [feedForwardSkipping, fixedSkipping, randomSkipping, promptSkipping]),
);
/** From what a token or a sequence has seen so far to the units that run. */
export type Policy = z.output<typeof policy>;
/** A policy as a caller writes it: what has a default may be left out. */
export type PolicyOptions = z.input<typeof policy>;

/** Of a call that follows a policy where it is given one. */
export const followed = policy.nullable().default(null).describe("What it follows; null: all units run.");

export const skips = named(
  "Skips",
  z.object({
    share: share().nullable().describe("Of all feed-forwards of all tokens; null where no token was run."),
    shareOfCandidates: share()
      .nullable()
      .describe("Of those that the policy is about, past the warm-up; null where there were none."),
    byBlock: list(share()).describe("Of each block's tokens."),
    byPosition: list(share()).describe("Of the feed-forwards of the tokens at each place of a text, from 0."),
    tokens: count().describe(
      "Tokens that were run in this call, fillers left out; an item that was known before has none.",
    ),
  }),
);
/** What a policy left out, as shares of the feed-forwards. */
export type Skips = z.output<typeof skips>;

/** Beside a result: null without a policy. */
export const ownSkips = skips.nullable().describe("What the policy skipped; null without one.");

export const policyMeasureOptions = named(
  "PolicyMeasureOptions",
  z.strictObject({
    measures: list(measure, 1)
      .default(["loss"])
      .describe("loss, kl and logit-distance, each once; the last two against the whole model."),
    batchSize: upTo(MOST_AT_A_TIME).default(8).describe("Sequences per batch."),
  }),
);

export const policiesMeasureParams = extending("PoliciesMeasureParams", policyMeasureOptions, {
  ...subject,
  policy,
  corpus: corpusHandle,
});

export const policiesMeasureResult = named(
  "PoliciesMeasureResult",
  z.object({
    values: list(finite()).describe("Of each measure that was asked for, a mean over positions."),
    counts: list(count(1)).describe("How many positions these are."),
    skips,
    seconds: finite().describe("Seconds it took."),
  }),
);
