import type { z } from "zod";
import type { DepthkitError } from "../errors.ts";
import { type MethodName, methods, type Params } from "../protocol/methods.ts";
import type { CallOptions } from "./call-options.ts";
import type { Answer, CallRequest } from "./connection.ts";
import { checkCallOptions } from "./parse-params.ts";

/**
 * What models, corpora and repairs are held by, and asks of: one worker, one that is started anew when it
 * crashes, several on one machine. A name that an answer gives for what was made stands for it as long as the
 * executor lives, in whichever worker the next call lands.
 */
export abstract class Executor {
  abstract call<M extends MethodName>(
    method: M,
    params: Params<M>,
    options?: CallRequest<M>,
  ): Promise<Answer<M>>;

  /** Where the workers are, where that is another machine, whose paths are not ours. */
  abstract readonly remote: string | undefined;

  /** Workers, which do different calls at the same time. */
  get workers(): number {
    return 1;
  }

  /** Why no call is answered any more; undefined while they are. */
  abstract readonly ended: DepthkitError | undefined;

  /** Rejects what is under way with CLOSED, ends every worker, and waits until they have gone. */
  abstract close(): Promise<void>;

  /**
   * A call whose params are what it works on and the caller's options as they are: the contract fills in what
   * they leave out, and refuses what it does not know.
   */
  async request<M extends MethodName, Subject extends Partial<Params<M>>>(
    method: M,
    subject: Subject,
    options: Omit<Params<M>, keyof Subject> & CallOptions,
    more: Pick<CallRequest<M>, "tensors" | "onPart" | "again"> = {},
  ): Promise<Answer<M>> {
    // Without what it works on: an option of such a name would be lost.
    const names = Object.fromEntries(Object.keys(subject).map((name) => [name, true]));
    const { params } = methods[method] as { params: z.ZodObject };
    checkCallOptions(method, options, params.omit(names as Parameters<typeof params.omit>[0]));
    const { signal, onProgress, timeoutMs, ...own } = options;
    const call = { signal, onProgress, timeoutMs, ...more };
    // The two halves are the method's params; TypeScript cannot put them together again.
    return this.call(method, { ...own, ...subject } as unknown as Params<M>, call);
  }
}
