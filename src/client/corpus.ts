import type { BosPolicy } from "../protocol/common.ts";
import type { CorpusInfo } from "../protocol/corpus.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { type TextData, toDataSource } from "./text-data.ts";

export interface LoadCorpusOptions extends CallOptions {
  /** How many sequences to take, from the front. Default: all there are. */
  sequences?: number;
  /** Tokens a sequence. Default 512. */
  length?: number;
  /** `pack` (default): one stream cut to equal length; `none`: one sequence a text, cut at the length. */
  packing?: CorpusInfo["packing"];
  /** Stands between two texts of a packed stream. Default: a blank line. */
  separator?: string;
  /** Whether each sequence starts with the BOS token. Default `auto`: where the tokeniser adds it itself. */
  bos?: BosPolicy;
}

/** Tokenised text held by the worker, in the tokens of the model it was loaded for. */
export class Corpus {
  readonly info: CorpusInfo;
  readonly #connection: Connection;

  constructor(connection: Connection, info: CorpusInfo) {
    this.#connection = connection;
    this.info = info;
  }

  /** Lets the worker forget it. */
  async close(): Promise<void> {
    await this.#connection.call("corpus.unload", { corpus: this.info.corpus });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export async function loadCorpus(
  connection: Connection,
  model: string,
  data: TextData,
  { sequences, length = 512, packing = "pack", separator = "\n\n", bos = "auto", ...call }: LoadCorpusOptions,
): Promise<Corpus> {
  const params = {
    model,
    data: toDataSource(data),
    sequences: sequences ?? null,
    length,
    packing,
    separator,
    bos,
  };
  return new Corpus(connection, (await connection.call("corpus.load", params, call)).result);
}
