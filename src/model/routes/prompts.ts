import type { z } from "zod";
import type { Scorable } from "../../evaluation/scorable.ts";
import type { Subject } from "../../evaluation/subject.ts";
import type { promptOptions } from "../../protocol/routing.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import type { CallOptions } from "../../rpc/call-options.ts";

/** Which tokens choose a route, and where in the stream they are read. */
export type RoutePrompt = Readonly<z.output<typeof promptOptions>>;

/** Of every sequence of a corpus, or item of a task: a row of numbers. */
export async function featuresOf(
  { connection, handle }: Subject,
  data: Scorable,
  prompt: RoutePrompt,
  call: CallOptions,
): Promise<number[][]> {
  const params = { ...prompt, model: handle.on(connection), data: data.on(connection) };
  const { result, tensor } = await connection.call("routing.read", params, call);
  return rowsOf(tensor(result.features));
}

/** The same of prompts as texts. */
export async function featuresOfTexts(
  { connection, handle }: Subject,
  prompts: readonly string[],
  chat: boolean,
  prompt: RoutePrompt,
  call: CallOptions,
): Promise<number[][]> {
  const params = { ...prompt, model: handle.on(connection), prompts, chat };
  const { result, tensor } = await connection.call("routing.prompts", params, call);
  return rowsOf(tensor(result.features));
}

function rowsOf({ data, shape: [, width = 0] }: Tensor): number[][] {
  const numbers = Array.from(data, Number);
  return Array.from({ length: numbers.length / width }, (_, row) =>
    numbers.slice(row * width, (row + 1) * width),
  );
}
