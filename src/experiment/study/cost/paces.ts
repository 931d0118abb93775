/** How fast this device is at each kind of a study's work, by a sample of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { item } from "../../../arrays.ts";
import { Corpus } from "../../../model/corpus.ts";
import { GenerationTask } from "../../../model/generation-task.ts";
import { measureGradientInfluence } from "../../../model/measure-gradient-influence.ts";
import type { Subnetwork } from "../../../model/model.ts";
import { Task } from "../../../model/task.ts";
import type { TaskData } from "../../../model/task-data.ts";
import type { UnitName } from "../../../protocol/common.ts";
import type { Precision } from "../../../protocol/subnetworks.ts";
import { unitsOf } from "../../../protocol/units.ts";
import type { CallOptions } from "../../../rpc/call-options.ts";
import { measureAlone } from "../measure.ts";
import { type Condition, type OpenEvaluation, type OpenModel, openEvaluation } from "../open.ts";
import type { SettledEvaluation, SettledPlan, SettledRanking } from "../plan.ts";
import { type Span, spanOf, spread, timed, times } from "./span.ts";

/** Tokens that fill a batch on a CPU and on a GPU (docs/engine.md). */
const [cpuTokens, gpuTokens] = [512, 32_768];
/** Questions of a sample, and answers that are written for one. */
const [questions, answers] = [24, 4];

/** What sets of units take on some data. */
export interface ForwardPace {
  /** Batches of the data. */
  readonly batches: number;
  /** A block, and the head, on all of the data. */
  readonly block: Span;
  readonly head: Span;
}

export class Paces {
  readonly #opened: OpenModel;
  readonly #call: CallOptions;
  readonly #forward: Readonly<Record<Precision, Map<Task | string, Promise<Sampled>>>> = {
    exact: new Map(),
    screen: new Map(),
  };
  readonly #gradients = new Map<string, Promise<Span>>();

  constructor(opened: OpenModel, call: CallOptions) {
    this.#opened = opened;
    this.#call = call;
  }

  /** On what a plan's evaluation is over. */
  onEvaluation({ evaluation, data }: OpenEvaluation): Promise<ForwardPace> {
    const shared = data as Corpus | Task;
    const size = this.#sampleSize(shared);
    const smaller = (
      evaluation.kind === "perplexity" ? { ...evaluation, maxChunks: size } : { ...evaluation, limit: size }
    ) as SettledEvaluation;
    const open = async () => (await openEvaluation(this.#opened.model, smaller, this.#call)).data;
    return this.#once(shared, open as () => Promise<Corpus | Task>);
  }

  /** On a calibration's text. */
  onText(data: Corpus, { calibration }: Condition, precision?: Precision): Promise<ForwardPace> {
    const { name: _, data: text, sequences: __, choose: ___, ...options } = calibration;
    const sequences = this.#sampleSize(data);
    const open = () => this.#opened.model.loadCorpus(text, { ...options, sequences, ...this.#call });
    return this.#once(data, open, precision);
  }

  /** On the questions that decide a ranking. */
  onQuestions(data: Task, ranking: SettledRanking, precision?: Precision): Promise<ForwardPace> {
    const on = "on" in ranking ? ranking.on : undefined;
    const { data: rows, ...asked } = on ?? { data: [] as never };
    const limit = this.#sampleSize(data);
    const open = () => this.#opened.model.loadTask(rows as TaskData, { ...asked, limit, ...this.#call });
    return this.#once(data, open, precision);
  }

  /** A pass of gradients over all of a calibration's sequences. */
  async gradients({ calibration, measured }: Condition): Promise<Span> {
    const { name, data, sequences: _, choose: __, ...options } = calibration;
    const { model } = this.#opened;
    const sample = async () => {
      await using one = await model.loadCorpus(data, { ...options, sequences: 1, ...this.#call });
      return await repeated(() =>
        measureGradientInfluence(model.subject, one, { metric: "taylor", ...this.#call }),
      );
    };
    const known = this.#gradients.get(name) ?? sample();
    this.#gradients.set(name, known);
    return times(await known, measured.info.sequences);
  }

  /** One subnetwork on what is not shared; a reason where it cannot be told. */
  async alone(opened: OpenEvaluation): Promise<Span | string> {
    const { evaluation } = opened;
    const whole = this.#opened.model.without([]);
    const measure = async (asked: OpenEvaluation) => {
      const journal = mkdtempSync(join(tmpdir(), "depthkit-cost-"));
      try {
        return await timed(() => measureAlone(asked, whole, { journal, ...this.#call }));
      } finally {
        rmSync(journal, { recursive: true, force: true });
      }
    };
    switch (evaluation.kind) {
      case "lm-eval":
        return "how much lm-evaluation-harness asks is its own to say";
      case "questions": {
        if (!(opened.data instanceof Task)) return "its questions are not open";
        const sample = await openEvaluation(
          this.#opened.model,
          { ...evaluation, limit: answers },
          this.#call,
        );
        const { items } = (sample.data as Task).info;
        return times(spread(await measure(sample)), opened.data.info.items / items);
      }
      case "profile": {
        const { rounds, warmupRounds } = evaluation;
        const fewer = { ...evaluation, rounds: 1, warmupRounds: 0 };
        const one = await measure({ evaluation: fewer, data: undefined });
        return times(spread(one), rounds + warmupRounds);
      }
      case "written":
      case "probe": {
        if (!(opened.data instanceof GenerationTask)) return "its questions are not open";
        const asked = {
          ...evaluation,
          ...(evaluation.kind === "probe" ? { items: answers } : { limit: answers }),
        };
        const sample = await openEvaluation(this.#opened.model, asked, this.#call);
        const { items } = (sample.data as GenerationTask).info;
        return times(spread(await measure(sample)), opened.data.info.items / items);
      }
      case "perplexity": {
        const chunks = evaluation.maxChunks ?? (await this.#chunks(evaluation));
        const few = Math.min(2, chunks);
        const { controls, ...alone } = evaluation;
        // The policy, its subnetwork, and the controls: one mask, and random skips of three seeds.
        const runs = controls === true ? 6 : 1;
        await measure({ evaluation: { ...alone, maxChunks: 1 }, data: undefined });
        const sample = await measure({ evaluation: { ...alone, maxChunks: few }, data: undefined });
        return times(spread(sample), (runs * chunks) / few);
      }
    }
  }

  /** Texts of one subnetwork. */
  async text(texts: NonNullable<SettledPlan["texts"]>): Promise<Span> {
    const { prompts, where: _, ...options } = texts;
    const { model } = this.#opened;
    return await repeated(() => model.generate(prompts, { ...options, ...this.#call }));
  }

  async #chunks(evaluation: Extract<SettledEvaluation, { kind: "perplexity" }>): Promise<number> {
    const { data, separator, bos, chunk, stride } = evaluation;
    const { model } = this.#opened;
    const length = stride ?? chunk ?? Math.min(2048, model.info.contextLength ?? 2048);
    const options = { length, separator, bos, sequences: null };
    await using text = await model.loadCorpus(data, { ...options, ...this.#call });
    return text.info.sequences;
  }

  /** One full batch of a text, and a few batches of questions. */
  #sampleSize(data: Corpus | Task): number {
    if (!(data instanceof Corpus)) return Math.min(data.info.items, questions);
    const tokens = this.#opened.model.info.device.startsWith("cpu") ? cpuTokens : gpuTokens;
    return Math.min(data.info.sequences, Math.ceil(tokens / data.info.length));
  }

  async #once(
    data: Corpus | Task,
    open: () => Promise<Corpus | Task>,
    precision: Precision = "exact",
  ): Promise<ForwardPace> {
    // Texts in sequences of one length take the same time per token.
    const own = data instanceof Corpus ? `${data.info.length} ${this.#sampleSize(data)}` : data;
    const forward = this.#forward[precision];
    const known = forward.get(own) ?? this.#sample(open, precision);
    forward.set(own, known);
    const { tokens, batchSize, block, head } = await known;
    const scale = data.info.tokens / tokens;
    const count = data instanceof Corpus ? data.info.sequences : data.info.items;
    return { batches: count / batchSize, block: times(block, scale), head: times(head, scale) };
  }

  /** By the whole model, and by it beside one that lacks the last block alone: that is one head more. */
  async #sample(open: () => Promise<Corpus | Task>, precision: Precision): Promise<Sampled> {
    const { model } = this.#opened;
    await using sample = await open();
    const last: UnitName[] = [item(unitsOf("block", model), model.depth - 1)];
    const [whole, without] = [model.without([]), model.without(last)];
    const measures = sample instanceof Corpus ? (["loss"] as const) : sample.measures;
    let batchSize = 1;
    const measure = async (sets: readonly Subnetwork[]) => {
      const asked = { measures: [...measures], bySequence: true, precision, ...this.#call };
      batchSize = (await model.evaluateSubnetworks(sample, sets, asked).result).batchSize;
    };
    const [one, two] = [
      await repeated(() => measure([whole])),
      await repeated(() => measure([whole, without])),
    ];
    const head = Math.max(0, two.seconds - one.seconds);
    const block = Math.max(0, one.seconds - head) / model.depth;
    // Both are uncertain together: what is too much in one is missing in the other.
    const share = (part: "low" | "high") => (one[part] + two[part]) / (one.seconds + two.seconds);
    const [fast, slow] = [share("low"), share("high")];
    const span = (seconds: number): Span => ({ seconds, low: seconds * fast, high: seconds * slow });
    return { tokens: sample.info.tokens, batchSize, block: span(block), head: span(head) };
  }
}

interface Sampled {
  readonly tokens: number;
  readonly batchSize: number;
  readonly block: Span;
  readonly head: Span;
}

/** Once to warm up, then twice, and more often where that is quick. */
async function repeated(work: () => Promise<unknown>): Promise<Span> {
  await work();
  const measured: number[] = [];
  let spent = 0;
  while (measured.length < 2 || (measured.length < 7 && spent < 1)) {
    const seconds = await timed(work);
    measured.push(seconds);
    spent += seconds;
  }
  return spanOf(measured);
}
