import { createRequire } from "node:module";
import { dirname } from "node:path";
import { DepthkitError } from "../errors.ts";

/** Sends requests and knows who waits for which answer; `PythonLine` is one. */
export interface PythoniaLine {
  register(id: number | string, handler: AnswerHandler): void;
  write(message: { readonly r?: number }, handler?: AnswerHandler): void;
  writeRaw(text: string, id: number, handler: AnswerHandler): void;
}

/** Returns true when more is to come for the same request. */
export type AnswerHandler = (answer: object) => unknown;

/** The part of pythonia that is used: what makes requests of the use of an object, and objects of answers. */
interface PythoniaBridge {
  makePyObject(id: number): unknown;
  /** Stops its timer. */
  end(): void;
}

export interface Pythonia {
  Bridge: new (line: PythoniaLine) => PythoniaBridge;
  /** Where its Python files are. */
  folder: string;
}

/**
 * Loads pythonia's bridge alone. Its main module starts a Python by itself, one for this process and with
 * this process's environment; the bridge leaves that to its caller, and there may be several.
 */
export function loadPythonia(): Pythonia {
  const require = createRequire(import.meta.url);
  const given = process.env["REQ_TIMEOUT"];
  // Read once, as it loads: its limit for a call, 100 s by default. 0 is none.
  process.env["REQ_TIMEOUT"] = "0";
  try {
    const file = require.resolve("pythonia/src/pythonia/Bridge.js");
    const { Bridge } = require(file) as Pick<Pythonia, "Bridge">;
    return { Bridge, folder: dirname(file) };
  } catch (cause) {
    throw new DepthkitError(
      "INTERNAL",
      `Loading pythonia: ${cause instanceof Error ? cause.message : cause}. ` +
        "Install the package again: npm install depthkit",
      { cause },
    );
  } finally {
    if (given === undefined) delete process.env["REQ_TIMEOUT"];
    else process.env["REQ_TIMEOUT"] = given;
  }
}
