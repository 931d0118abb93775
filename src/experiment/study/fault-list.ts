import { DepthkitError } from "../../errors.ts";
import type { Fault } from "../../options.ts";
import type { Written } from "./settle.ts";

/** What opening found wrong, path by path: all of it is told at once. */
export class FaultList {
  readonly faults: Fault[] = [];
  readonly #written: Written;

  constructor(written: Written) {
    this.#written = written;
  }

  /** Where an entry was written. */
  pathOf(entry: object): string {
    return this.#written.get(entry) ?? "";
  }

  /** What `open` gives; undefined where the plan is at fault, which is then noted. */
  async of<T>(path: string, open: () => Promise<T>): Promise<T | undefined> {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof DepthkitError) || !thePlans.some((code) => error.is(code))) throw error;
      this.faults.push({ path, words: error.message });
      return undefined;
    }
  }
}

/** What is a plan's fault: it names what is not there, or not what it is taken for. */
const thePlans = [
  "INVALID_ARGUMENT",
  "FILE_NOT_FOUND",
  "NOT_ENOUGH_TEXT",
  "UNSUPPORTED_FORMAT",
  "MODEL_NOT_FOUND",
  "MODEL_UNSUPPORTED",
  "MODEL_INVALID",
  "DEVICE_UNAVAILABLE",
  "EXPORT_UNSUPPORTED",
] as const;
