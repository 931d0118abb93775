import type { z } from "zod";
import { type Subject, subjectParams } from "../evaluation/subject.ts";
import type { streamOptions } from "../protocol/influence.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { heldBy } from "../rpc/handle.ts";
import type { Corpus } from "./corpus.ts";

export interface StreamMeasureOptions extends CallOptions, z.input<typeof streamOptions> {}

/** A measure in front of every block and, last, behind the last one. */
export interface AtBoundaries {
  /** Means over sequences. */
  values: number[];
  /** Over sequences; null where a single sequence tells nothing of it. */
  standardErrors: (number | null)[];
}

/** What the residual stream is like at every boundary of blocks: docs/methods.md. */
export interface StreamMeasures {
  /** Of a token's numbers, mean over tokens. */
  variance: AtBoundaries;
  /** How many directions the tokens of a sequence take up, in nats (arXiv 2407.03106). */
  codingRate: AtBoundaries;
  /** The largest coding rate that as many tokens can have. */
  codingRateBound: number;
  /** Sequences measured on. */
  sequences: number;
  /** Tokens counted. */
  tokens: number;
  /** Seconds it took. */
  seconds: number;
}

export async function measureStream(
  on: Subject,
  corpus: Corpus,
  options: StreamMeasureOptions,
): Promise<StreamMeasures> {
  const held = heldBy(on.connection, "influence.stream", "corpus", corpus);
  const subject = { ...subjectParams(on), corpus: held };
  const { result, tensor } = await on.connection.request("influence.stream", subject, options);
  const boundaries = on.info.depth + 1;
  const of = (name: (typeof result.measures)[number]): AtBoundaries => {
    const first = result.measures.indexOf(name) * boundaries;
    const row = (data: ArrayLike<number>) => Array.from(data).slice(first, first + boundaries);
    return {
      values: row(tensor(result.values).data),
      standardErrors: row(tensor(result.standardErrors).data).map((value) =>
        Number.isNaN(value) ? null : value,
      ),
    };
  };
  const { codingRateBound, sequences, tokens, seconds } = result;
  return {
    variance: of("variance"),
    codingRate: of("coding-rate"),
    ...{ codingRateBound, sequences, tokens, seconds },
  };
}
