/** What of a study is done already, by the journal of its folder. */
import type { z } from "zod";
import { takenSchema } from "../measure.ts";
import type { StepStore } from "../steps.ts";
import { timed as timedSchema } from "../steps.ts";

export class Known {
  readonly #store: StepStore;

  constructor(store: StepStore) {
    this.#store = store;
  }

  /** Seconds that a step took; undefined where it is still to be done. */
  seconds(key: object): number | undefined {
    const step = this.#store.find(key, timedSchema);
    return step?.seconds ?? this.#store.find(key, takenSchema)?.seconds;
  }

  /** What a step gave. */
  value<T>(key: object, schema: z.ZodType<T>): T | undefined {
    const step = this.#store.find(key, timedSchema);
    return step === undefined ? undefined : schema.safeParse(step.value).data;
  }
}
