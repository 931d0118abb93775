/** Steps by all that determines them: what was finished is in a journal, with the time it took. */
import { z } from "zod";
import type { StepsFile } from "../../journal/steps-file.ts";
import type { CallOptions } from "../../rpc/connection.ts";
import { isItsOwn } from "../own-fault.ts";
import { type Failure, failureSchema } from "./record.ts";

/** What a study says as it goes. */
export type StudyEvent =
  | { readonly kind: "step"; readonly step: string; readonly seconds: number; readonly known: boolean }
  | { readonly kind: "failed"; readonly step: string; readonly message: string };

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

  constructor(file: StepStore, options: StepOptions) {
    this.#file = file;
    this.#options = options;
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

  /** What a step gave, from the journal or by doing it. A failure that is its own is what it gave. */
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
    await this.#file.keep(key, { seconds, value });
    this.finished({ step: label, seconds, blockEvaluations: null }, value, false);
    return value;
  }

  /** Notes a step that was done, and tells of it. */
  finished(step: DoneStep, value: unknown, known: boolean): void {
    this.done.push(step);
    const { onEvent } = this.#options;
    if (isFailure(value)) onEvent?.({ kind: "failed", step: step.step, message: value.message });
    else onEvent?.({ kind: "step", step: step.step, seconds: step.seconds, known });
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
