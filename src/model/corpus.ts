import type { z } from "zod";
import type { Scorable } from "../evaluation/scorable.ts";
import { type TextData, toDataSource } from "../evaluation/text-data.ts";
import type { CorpusInfo, corpusOptions } from "../protocol/corpus.ts";
import { measuresOf } from "../protocol/subnetworks.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import type { Executor } from "../rpc/executor.ts";
import { Handle } from "../rpc/handle.ts";

export interface LoadCorpusOptions extends CallOptions, z.input<typeof corpusOptions> {}

/** Tokenised text held by the worker, in the tokens of the model it was loaded for. */
export class Corpus extends Handle implements Scorable {
  readonly info: CorpusInfo;

  /** @internal */
  constructor(connection: Executor, corpus: string, info: CorpusInfo) {
    super(connection, "corpus", corpus, () => connection.call("corpus.unload", { corpus }));
    this.info = info;
  }

  /** @internal */
  get measures() {
    return measuresOf.corpus;
  }

  /** @internal */
  get key() {
    const { tokensDigest, sequences, length } = this.info;
    return { tokens: tokensDigest, sequences, length };
  }
}

export async function loadCorpus(
  connection: Executor,
  model: string,
  data: TextData,
  options: LoadCorpusOptions,
): Promise<Corpus> {
  const subject = { model, data: toDataSource(connection, data) };
  const { result } = await connection.request("corpus.load", subject, options);
  return new Corpus(connection, result.corpus, result.info);
}
