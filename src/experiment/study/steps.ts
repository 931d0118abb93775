/** Steps by all that determines them: what was finished is in a journal, with the time it took. */
import { z } from "zod";
import type { StepsFile } from "../../journal/steps-file.ts";
import type { CallOptions } from "../../rpc/call-options.ts";
import { isItsOwn } from "../own-fault.ts";
import type { Planned } from "./cost/schema.ts";
import { type Failure, failureSchema } from "./record.ts";

/** What a study says as it goes. */
export type StudyEvent =
  /** `total`: steps that are known of yet; `planned`: seconds of all of them, where they were told before. */
  | { readonly kind: "begun"; readonly total: number; readonly planned: Planned | null }
  /** A model's rankings are made, and `total` knows what they lead to. */
  | { readonly kind: "planned"; readonly total: number }
  | { readonly kind: "step"; readonly step: string; readonly seconds: number; readonly known: boolean }
  | { readonly kind: "failed"; readonly step: string; readonly message: string }
  | MeasuredEvent;

/** What a subnetwork has on an evaluation, found now or before. */
export interface MeasuredEvent {
  readonly kind: "measured";
  readonly model: string;
  readonly evaluation: string;
  /** Units that are gone. */
  readonly removed: number;
  /** Its name; null: nothing in place. */
  readonly repair: string | null;
  readonly measure: string;
  readonly value: number;
  readonly lowerIsBetter: boolean;
}

/** What was done, and how long it took. */
export interface DoneStep {
  readonly step: string;
  readonly seconds: number;
  readonly blockEvaluations: number | null;
}

/** Where steps are kept: the journal, or nothing at all. */
export type StepStore = Pick<StepsFile, "find" | "keep" | "knows">;

export interface StepOptions extends CallOptions {
  readonly onEvent?: ((event: StudyEvent) => void) | undefined;
}

export const timed = z.object({ seconds: z.number(), value: z.unknown() });

export class Steps {
  readonly done: DoneStep[] = [];
  readonly #file: StepStore;
  readonly #options: StepOptions;
  #total = 0;

  constructor(file: StepStore, options: StepOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** Ends all of it. */
  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  begin(total: number, planned: Planned | null): void {
    this.#total = total;
    this.tell({ kind: "begun", total, planned });
  }

  /** So many steps more than were known of. */
  more(count: number): void {
    this.#total += count;
    this.tell({ kind: "planned", total: this.#total });
  }

  tell(event: StudyEvent): void {
    this.#options.onEvent?.(event);
  }

  /** How a call of a step goes: its progress says whose it is. */
  call(label: string): CallOptions {
    const { signal, timeoutMs, onProgress } = this.#options;
    return {
      signal,
      timeoutMs,
      onProgress:
        onProgress && ((progress) => onProgress({ ...progress, phase: `${label}: ${progress.phase}` })),
    };
  }

  /**
   * What a step gave, from the journal or by doing it. A failure that is its own is what it gave; it is kept,
   * but for what the machine's noise may have hidden, which is tried again.
   */
  async step<T>(
    label: string,
    key: object,
    schema: z.ZodType<T>,
    work: (call: CallOptions) => Promise<T>,
  ): Promise<T | Failure> {
    const either = failureSchema.or(schema) as z.ZodType<T | Failure>;
    const before = this.#file.find(key, timed);
    const known = before && either.safeParse(before.value);
    if (before !== undefined && known?.success === true) {
      this.finished({ step: label, seconds: before.seconds, blockEvaluations: null }, known.data, true);
      return known.data;
    }
    const started = performance.now();
    const value = await orFailure(() => work(this.call(label)));
    const seconds = (performance.now() - started) / 1000;
    if (!isFailure(value) || value.code !== "NOT_MEASURABLE") await this.#file.keep(key, { seconds, value });
    this.finished({ step: label, seconds, blockEvaluations: null }, value, false);
    return value;
  }

  /** Notes a step that was done, and tells of it. */
  finished(step: DoneStep, value: unknown, known: boolean): void {
    this.done.push(step);
    if (isFailure(value)) this.tell({ kind: "failed", step: step.step, message: value.message });
    else this.tell({ kind: "step", step: step.step, seconds: step.seconds, known });
  }

  knows(key: object): boolean {
    return this.#file.knows(key);
  }

  find<T>(key: object, schema: z.ZodType<T>): T | undefined {
    return this.#file.find(key, schema);
  }

  async keep(key: object, value: unknown): Promise<void> {
    await this.#file.keep(key, value);
  }
}

export async function orFailure<T>(work: () => Promise<T>): Promise<T | Failure> {
  try {
    return await work();
  } catch (error) {
    if (isItsOwn(error)) return { code: error.code, message: error.message };
    throw error;
  }
}

export const isFailure = (value: unknown): value is Failure => failureSchema.safeParse(value).success;
