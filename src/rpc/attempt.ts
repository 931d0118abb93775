import type { Progress } from "../progress.ts";
import type { MethodName } from "../protocol/methods.ts";
import type { CallOptions } from "./call-options.ts";
import type { CallRequest } from "./connection.ts";
import type { Line } from "./line.ts";

/** A call in one worker: whether it was begun there, and what came of it. */
export class Attempt<M extends MethodName> {
  line: Line | undefined;
  parts = 0;
  /** It was no longer waiting for others. */
  began = true;
  readonly request: Omit<CallRequest<M>, "again">;
  readonly #onProgress: CallOptions["onProgress"];

  constructor({ onProgress, onPart, ...request }: Omit<CallRequest<M>, "again">) {
    this.request = {
      ...request,
      onProgress: (progress) => {
        this.#hear(progress);
        onProgress?.(progress);
      },
      onPart:
        onPart &&
        ((part, tensor) => {
          this.parts += 1;
          onPart(part, tensor);
        }),
    };
    this.#onProgress = onProgress;
  }

  /** While what it needs is made again: what is made for another call is not of its doing. */
  watcher() {
    this.began = false;
    return {
      onMake: () => {
        this.began = true;
      },
      onProgress: (progress: Progress) => {
        this.#hear(progress);
        this.#onProgress?.({ ...progress, phase: `again: ${progress.phase}` });
      },
    };
  }

  #hear({ phase, done, total }: Progress): void {
    this.began = phase !== "queued" || done === total;
  }
}
