/** One worker with one model, which come back when they are lost. */
import { Depthkit, DepthkitError, type ErrorCode, type Model } from "depthkit";

const lost: readonly ErrorCode[] = ["WORKER_DIED", "WORKER_UNRESPONSIVE", "CONNECTION_LOST"];

export class ModelWorker {
  readonly #source: string;
  #held: Promise<{ kit: Depthkit; model: Model }> | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  /** Work on the model, once more on a new worker where this one was lost in the middle: work must bear that. */
  async use<T>(work: (model: Model) => Promise<T>): Promise<T> {
    try {
      return await work((await this.#hold()).model);
    } catch (error) {
      if (!(error instanceof DepthkitError) || !lost.includes(error.code)) throw error;
      await this.close();
      return await work((await this.#hold()).model);
    }
  }

  /** The worker's process, where there is one. */
  async pid(): Promise<number | undefined> {
    return (await this.#held)?.kit.pid;
  }

  async close(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    await (await held?.catch(() => undefined))?.kit.close();
  }

  #hold() {
    this.#held ??= this.#start();
    // What failed to start is not kept: the next job tries again.
    this.#held.catch(() => {
      this.#held = undefined;
    });
    return this.#held;
  }

  async #start() {
    const { DEPTHKIT_WORKER: url, DEPTHKIT_KEYS: keys } = process.env;
    const kit = url && keys ? await Depthkit.connect(url, { keys }) : await Depthkit.start();
    try {
      return { kit, model: await kit.loadModel(this.#source) };
    } catch (error) {
      await kit.close();
      throw error;
    }
  }
}
