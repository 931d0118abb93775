import { z } from "zod";
import { DepthkitError } from "../errors.ts";
import { parseJson } from "../platform/json.ts";
import type { AnswerHandler, PythoniaLine } from "./pythonia.ts";

/** What comes from Python: the answer to request `r`, or with `c` a call of a function that it was given. */
const incoming = z.looseObject({ r: z.number(), c: z.string().optional(), key: z.string().optional() });

/** An exception, as the bridge's script tells of it. */
const exception = z.object({
  key: z.literal("error"),
  val: z.tuple([z.string(), z.string()]),
  sig: z.string(),
});

/** Requests to a Python and their answers, a line each. Whoever waits when it ends learns that. */
export class PythonLine implements PythoniaLine {
  readonly #send: (line: string) => void;
  readonly #handlers = new Map<number | string, AnswerHandler>();
  #ended: DepthkitError | undefined;

  constructor(send: (line: string) => void) {
    this.#send = send;
  }

  register(id: number | string, handler: AnswerHandler): void {
    this.#handlers.set(id, handler);
  }

  write(message: { readonly r?: number }, handler?: AnswerHandler): void {
    // What nobody waits for, as that an object is not needed any more, is nothing to a Python that is gone.
    if (handler === undefined && this.#ended) return;
    this.writeRaw(JSON.stringify(message), message.r ?? 0, handler);
  }

  writeRaw(text: string, id: number, handler?: AnswerHandler): void {
    if (this.#ended) throw this.#ended;
    if (handler !== undefined) this.register(id, handler);
    this.#send(`${text}\n`);
  }

  /** Takes a line that Python wrote. */
  receive(line: string): void {
    const answer = parseJson(line, incoming);
    if (answer === undefined) {
      throw new DepthkitError(
        "PROTOCOL",
        `Python's bridge wrote a line of another form: ${line.slice(0, 200)}`,
      );
    }
    const id = answer.c ?? answer.r;
    const handler = this.#handlers.get(id);
    const raised = exception.safeParse(answer).data;
    const more = handler && settle(handler, raised ? rejection(exceptionError(raised)) : answer);
    // Only the handler of Python's own calls has a name, and stays.
    if (typeof id === "number" && more !== true) this.#handlers.delete(id);
  }

  /** Rejects every request that waits, and all that come. */
  end(reason: DepthkitError): void {
    this.#ended ??= reason;
    const waiting = [...this.#handlers].filter(([id]) => typeof id === "number");
    this.#handlers.clear();
    for (const [, handler] of waiting) handler(rejection(this.#ended));
  }
}

function settle(handler: AnswerHandler, answer: object): unknown {
  try {
    return handler(answer);
  } catch (error) {
    // pythonia refuses an argument only once Python has asked for it.
    const message = `Calling Python: ${error instanceof Error ? error.message : error}`;
    return handler(rejection(new DepthkitError("INVALID_ARGUMENT", message, { cause: error })));
  }
}

/** An answer that makes pythonia reject with this error: it reads `sig` to make an error of its own of it. */
function rejection(error: DepthkitError): object {
  return {
    key: "error",
    get sig(): never {
      throw error;
    },
  };
}

function exceptionError({ val: [type, message], sig: traceback }: z.infer<typeof exception>): DepthkitError {
  return new DepthkitError(
    "PYTHON_RAISED",
    `Python raised ${type}${message === "" ? "" : `: ${message}`}. The traceback is in details.python.`,
    { details: { python: { type, message, traceback } } },
  );
}
