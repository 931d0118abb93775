import type { JournalKey } from "../journal/key.ts";
import { openValuesFile } from "../journal/values-file.ts";
import type { CorpusInfo } from "../protocol/corpus.ts";
import { ItemLog } from "./item-log.ts";
import { modelKey } from "./keys.ts";
import type { Subject } from "./subject.ts";

/** How a corpus is written, as far as it says what is written. */
type Asked = Readonly<Record<string, JournalKey>>;

/**
 * Writes with a log of the sequences that are finished, in a file of its own for all that determines them:
 * model, tokenizer, prompts and settings.
 */
export async function withWrittenLog<T>(
  { connection, handle, info }: Subject,
  { directory, prompts, asked }: { directory: string; prompts: CorpusInfo; asked: Asked },
  write: (log: ItemLog) => Promise<T>,
): Promise<T> {
  const { result } = await connection.call("model.tokenizer", { model: handle.on(connection) });
  const header = {
    format: "depthkit-written",
    version: 1,
    ...modelKey(info),
    tokenizer: result.digest,
    prompts: cutOf(prompts),
    ...asked,
  };
  await using file = await openValuesFile({ directory, header });
  const log = new ItemLog(file);
  const written = await write(log);
  await log.settled();
  return written;
}

/** The tokens, and where each sequence begins. */
function cutOf({ tokensDigest, data, firstTokens: _, written, ...cut }: CorpusInfo): JournalKey {
  return {
    ...cut,
    tokens: tokensDigest,
    data: data.digest,
    written: written === null ? null : { ...written },
  };
}
