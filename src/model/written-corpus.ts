import type { z } from "zod";
import type { ItemLog } from "../evaluation/item-log.ts";
import type { Subject } from "../evaluation/subject.ts";
import { withWrittenLog } from "../evaluation/written-sequences.ts";
import { aText } from "../options.ts";
import { corpusWriteOptions } from "../protocol/corpus.ts";
import type { CallOptions } from "../rpc/call-options.ts";
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
  const { connection, handle } = on;
  const held = heldBy(connection, "corpus.write", "corpus", prompts);
  const write = async (log?: ItemLog) => {
    const { known = null, ...resumed } = log?.resume() ?? {};
    const params = { model: handle.on(connection), corpus: held, known };
    const { result } = await connection.request("corpus.write", params, options, resumed);
    return new Corpus(connection, result.corpus, result.info);
  };
  if (journal === undefined) return write();
  const { batchSize: _, ...asked } = corpusWriteOptions.strip().parse(options);
  return withWrittenLog(on, { directory: journal, prompts: prompts.info, asked }, write);
}
