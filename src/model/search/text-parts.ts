import { DepthkitError } from "../../errors.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { TextData } from "../../evaluation/text-data.ts";
import { aWhole, either, listOf, required } from "../../options.ts";
import { type CorpusOverlap, corpusOptions } from "../../protocol/corpus.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { heldBy } from "../../rpc/handle.ts";
import { checkCallOptions } from "../../rpc/parse-params.ts";
import { withTimeLimit, workerCallChecks } from "../../rpc/time-limit.ts";
import { evenly, spread } from "../../selection/spread.ts";
import { Corpus, type LoadCorpusOptions, loadCorpus } from "../corpus.ts";
import type { Task } from "../task.ts";

/**
 * How a text is split into parts that share nothing. Each has sequences from all over the text, as far apart
 * as it is long: of one piece, some thousand tokens, a choice would be made on one or two documents.
 */
export interface SplitTextOptions extends Omit<LoadCorpusOptions, "sequences" | "skip" | "numbers"> {
  /** Sequences that scores and repairs are fitted to; 0 for none. Default 0. */
  fit?: number | undefined;
  /** Sequences that decide. A list grows: the smaller parts are taken from the largest. */
  choose: number | readonly number[];
  /** Sequences that say what the choice is worth, and decided nothing; 0 for none. Default 0. */
  report?: number | undefined;
  /** Another draw: other sequences between those of the earlier ones. Default 0. */
  draw?: number | undefined;
}

/** Parts of one text that share nothing: what a search fits to, chooses on and reports on. */
export class TextParts implements AsyncDisposable {
  readonly fit: Corpus | undefined;
  readonly choose: readonly Corpus[];
  readonly report: Corpus | undefined;

  /** @internal */
  constructor(fit: Corpus | undefined, choose: readonly Corpus[], report: Corpus | undefined) {
    this.fit = fit;
    this.choose = choose;
    this.report = report;
  }

  /** Gives the corpora of all parts back. */
  async close(): Promise<void> {
    const all = [this.fit, ...this.choose, this.report];
    await Promise.all(all.map((corpus) => corpus?.close()));
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Of each part; how many sequences it has, and where they begin, is the split's. */
export const splitCorpusOptions = corpusOptions.omit({ sequences: true, skip: true, numbers: true });

/** What a split is given beside the options of a corpus. */
export const splitChecks = {
  ...workerCallChecks,
  fit: aWhole(0),
  choose: required(either(aWhole(1), listOf(aWhole(1), 1))),
  report: aWhole(0),
  draw: aWhole(0),
};

/** @throws DepthkitError NOT_ENOUGH_TEXT and INVALID_ARGUMENT, and what reading a corpus throws */
export async function splitText(on: Subject, data: TextData, given: SplitTextOptions): Promise<TextParts> {
  checkCallOptions("splitText", given, splitCorpusOptions, splitChecks);
  return withTimeLimit("splitText", given, (signal) => loadParts(on, data, { ...given, signal }));
}

async function loadParts(on: Subject, data: TextData, given: SplitTextOptions): Promise<TextParts> {
  const { fit = 0, choose, report = 0, draw = 0, ...options } = given;
  const sizes = [choose].flat();
  const most = Math.max(...sizes);
  if (sizes.some((size, at) => at > 0 && size <= (sizes[at - 1] ?? 0))) {
    throw new DepthkitError(
      "INVALID_ARGUMENT",
      `splitText: choose is ${JSON.stringify(choose)}; text grows as candidates get fewer, so each number ` +
        "is larger than the one before it.",
    );
  }
  const model = on.handle.on(on.connection);
  const loaded: Corpus[] = [];
  const load = async (which: Pick<LoadCorpusOptions, "sequences" | "numbers">): Promise<Corpus> => {
    const corpus = await loadCorpus(on.connection, model, data, { ...options, ...which });
    loaded.push(corpus);
    return corpus;
  };
  try {
    // What all draws up to this one need together: where there is less, the error says so.
    await load({ sequences: (draw + 1) * (fit + most + report) });
    const { info } = await load({});
    await Promise.all(loaded.splice(0).map((corpus) => corpus.close()));
    const [fitOn, chooseOn, reportOn] = spread(info.sequences, [fit, most, report], draw);
    const fitted = fit === 0 ? undefined : await load({ numbers: fitOn });
    const chosen: Corpus[] = [];
    for (const size of sizes) chosen.push(await load({ numbers: evenly(chooseOn ?? [], size) }));
    const reported = report === 0 ? undefined : await load({ numbers: reportOn });
    return new TextParts(fitted, chosen, reported);
  } catch (error) {
    await Promise.allSettled(loaded.map((corpus) => corpus.close()));
    throw error;
  }
}

/**
 * Of the stretches of one part, those that may stand in another: headings and licences recur. Where it is not
 * one text, or its sequences are others, a few may of a small part too, as manuals repeat whole paragraphs.
 */
function mostShared({ info: first }: Corpus, { info: second }: Corpus, stretches: number): number {
  const usual = 0.01 * stretches;
  const same = first.data.digest === second.data.digest;
  const others = first.numbers?.every((number) => second.numbers?.includes(number) === false);
  return same && others !== true ? usual : Math.max(usual, Math.min(2, stretches / 8));
}

/** A part of text or questions, and what it is for. */
export interface NamedPart {
  readonly name: string;
  readonly data: Corpus | Task;
  /** Whose part it is, where there are several texts. */
  readonly domain?: string | undefined;
}

const called = ({ name, domain }: NamedPart) => `\`${name}\`${domain === undefined ? "" : ` of ${domain}`}`;

/**
 * Refuses parts that share text, whatever files and lengths of sequence they come from: what was chosen on a
 * text looks better there than it is. Gives a note for each two that share a little.
 *
 * @throws DepthkitError INVALID_ARGUMENT with the share and the first stretch
 */
export async function checkPartsApart(
  on: Subject,
  parts: readonly NamedPart[],
  call: CallOptions,
): Promise<string[]> {
  const notes: string[] = [];
  for (const [at, first] of parts.entries()) {
    for (const second of parts.slice(at + 1)) {
      if (first.name === second.name) continue;
      if (first.data instanceof Corpus && second.data instanceof Corpus) {
        const found = await overlapOf(on, first.data, second.data, call);
        if (found.shared > mostShared(first.data, second.data, found.stretches))
          throw sharing(first, second, found);
        if (found.shared > 0) notes.push(`${words(first, second, found)} Headings and licences recur.`);
      } else if (JSON.stringify(first.data.key) === JSON.stringify(second.data.key)) {
        throw new DepthkitError(
          "INVALID_ARGUMENT",
          `Searching: ${called(first)} and ${called(second)} are the same questions. A choice looks ` +
            "better on what it was made on; report on others.",
        );
      }
    }
  }
  return notes;
}

/**
 * What has to be said of a corpus that something was chosen or fitted on, and one that it is measured on;
 * undefined where they share no more than recurs.
 */
export async function sharedNote(
  on: Subject,
  decided: NamedPart & { readonly data: Corpus },
  measured: NamedPart & { readonly data: Corpus },
  call: CallOptions,
): Promise<string | undefined> {
  const found = await overlapOf(on, decided.data, measured.data, call);
  if (found.shared <= mostShared(decided.data, measured.data, found.stretches)) return undefined;
  return `${words(decided, measured, found)} What was chosen or fitted there looks better here than it is.`;
}

async function overlapOf(
  { connection, handle }: Subject,
  first: Corpus,
  second: Corpus,
  call: CallOptions,
): Promise<CorpusOverlap> {
  const held = (corpus: Corpus, name: string) => heldBy(connection, "corpus.overlap", name, corpus);
  const params = {
    model: handle.on(connection),
    first: held(first, "first"),
    second: held(second, "second"),
  };
  return (await connection.call("corpus.overlap", params, call)).result;
}

function words(
  first: NamedPart,
  second: NamedPart,
  { shared, stretches, stretch, example }: CorpusOverlap,
): string {
  return (
    `${shared} of the ${stretches} stretches of ${stretch} tokens of ${called(second)} stand in ` +
    `${called(first)} too, the first of them ${JSON.stringify(example)}.`
  );
}

function sharing(first: NamedPart, second: NamedPart, found: CorpusOverlap): DepthkitError {
  return new DepthkitError(
    "INVALID_ARGUMENT",
    `Searching: ${words(first, second, found)} A choice looks better on text that it was fitted to or made ` +
      "on; give parts that share nothing, as `splitText` makes them.",
    { details: { first: first.name, second: second.name, shared: found.shared, stretches: found.stretches } },
  );
}
