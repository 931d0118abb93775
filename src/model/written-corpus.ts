import type { z } from "zod";
import { ItemLog } from "../evaluation/item-log.ts";
import { modelKey } from "../evaluation/keys.ts";
import type { Subject } from "../evaluation/subject.ts";
import type { JournalKey } from "../journal/key.ts";
import { openValuesFile } from "../journal/values-file.ts";
import { aText } from "../options.ts";
import { type CorpusInfo, corpusWriteOptions } from "../protocol/corpus.ts";
import type { CallOptions } from "../rpc/connection.ts";
import { heldBy } from "../rpc/handle.ts";
import { checkCallOptions } from "../rpc/parse-params.ts";
import { workerCallChecks } from "../rpc/time-limit.ts";
import { Corpus } from "./corpus.ts";

export interface WriteCorpusOptions extends CallOptions, z.input<typeof corpusWriteOptions> {
  /**
   * Keep every finished sequence in this folder, and take from it what was written before: by the same
   * weights, dtype, device, tokenizer, prompts and settings.
   */
  journal?: string | undefined;
}

/** A corpus that a model writes behind the beginnings of another one's sequences. */
export async function writeCorpus(on: Subject, prompts: Corpus, given: WriteCorpusOptions): Promise<Corpus> {
  checkCallOptions("writeCorpus", given, corpusWriteOptions, { ...workerCallChecks, journal: aText });
  const { journal, ...options } = given;
  if (journal === undefined) return write(on, prompts, options, undefined);
  const header = await headerOf(on, prompts, options);
  await using file = await openValuesFile({ directory: journal, header });
  const log = new ItemLog(file);
  const corpus = await write(on, prompts, options, log);
  await log.settled();
  return corpus;
}

async function write(
  { connection, handle }: Subject,
  prompts: Corpus,
  options: Omit<WriteCorpusOptions, "journal">,
  log: ItemLog | undefined,
): Promise<Corpus> {
  const { known = null, ...resumed } = log?.resume() ?? {};
  const held = heldBy(connection, "corpus.write", "corpus", prompts);
  const params = { model: handle.on(connection), corpus: held, known };
  const { result } = await connection.request("corpus.write", params, options, resumed);
  return new Corpus(connection, result.corpus, result.info);
}

/** All that determines what is written. */
async function headerOf(
  { connection, handle, info }: Subject,
  prompts: Corpus,
  options: Omit<WriteCorpusOptions, "journal">,
): Promise<JournalKey> {
  const { result } = await connection.call("model.tokenizer", { model: handle.on(connection) });
  const { batchSize: _, ...asked } = corpusWriteOptions.strip().parse(options);
  return {
    format: "depthkit-written",
    version: 1,
    ...modelKey(info),
    tokenizer: result.digest,
    prompts: cutOf(prompts.info),
    ...asked,
  };
}

/** The tokens, and where each sequence begins. */
function cutOf({ tokensDigest, sequences, length, packing, data, skip, ...rest }: CorpusInfo): JournalKey {
  const { separator, bos, written } = rest;
  return {
    ...{ tokens: tokensDigest, sequences, length, packing, data: data.digest, skip, separator, bos },
    written: written === null ? null : { ...written },
  };
}
