/** One worker with one model; a worker that crashes is replaced, and what was asked of it is asked again. */
import { Depthkit, type Model } from "depthkit";

export class ModelWorker {
  readonly #source: string;
  #held: Promise<{ kit: Depthkit; model: Model }> | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  async use<T>(work: (model: Model) => Promise<T>): Promise<T> {
    return await work((await this.#hold()).model);
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
    if (this.#held === undefined) {
      const held = this.#start();
      this.#held = held;
      const forget = () => {
        if (this.#held === held) this.#held = undefined;
      };
      // What did not start, or ended for good, is not kept: the next job tries again.
      held.then(({ kit }) => kit.exited).then(forget, forget);
    }
    return this.#held;
  }

  async #start() {
    const { DEPTHKIT_WORKER: url, DEPTHKIT_KEYS: keys } = process.env;
    const kit =
      url && keys
        ? await Depthkit.connect(url, { keys, logger: console })
        : await Depthkit.start({ restart: "on-crash", logger: console });
    try {
      return { kit, model: await kit.loadModel(this.#source) };
    } catch (error) {
      await kit.close();
      throw error;
    }
  }
}
