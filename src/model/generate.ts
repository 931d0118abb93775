import type { z } from "zod";
import { followingParams, type Subject } from "../evaluation/subject.ts";
import { aFunction, checkArgument } from "../options.ts";
import { type GenerateResult, generateOptions } from "../protocol/generation.ts";
import type { Part } from "../protocol/methods.ts";
import type { CallOptions } from "../rpc/call-options.ts";
import { optionsOf } from "../rpc/parse-params.ts";
import { workerCallChecks } from "../rpc/time-limit.ts";

/** A piece of text as it is written. */
export interface WrittenText {
  /** Which of the prompts it stands behind, from 0. */
  prompt: number;
  /** What was written next: a prompt's pieces, one behind the other, are its text. */
  text: string;
}

export interface GenerateOptions extends CallOptions, z.input<typeof generateOptions> {
  /**
   * Hears of text as it is written: of one prompt after the other, or with a `batchSize` above 1 of the
   * prompts of a batch in turn. White space and what may become a stop string wait for what follows.
   */
  onText?: ((written: WrittenText) => void) | undefined;
}

const checked = optionsOf(generateOptions, { ...workerCallChecks, onText: aFunction });

/** @throws DepthkitError INVALID_ARGUMENT */
export function checkGenerate(options: GenerateOptions): void {
  checkArgument("generation.generate", "", options, checked);
}

export async function generateText(
  on: Subject,
  prompts: string | readonly string[],
  given: GenerateOptions,
): Promise<GenerateResult> {
  checkGenerate(given);
  const { onText, ...options } = given;
  const texts = typeof prompts === "string" ? [prompts] : prompts;
  const subject = { ...followingParams(on), prompts: texts, stream: onText !== undefined };
  const onPart = onText === undefined ? undefined : onlyNew(onText);
  return (await on.connection.request("generation.generate", subject, options, { onPart })).result;
}

/** After a crash the texts are written anew, the same: what was told of them is not told again. */
function onlyNew(onText: (written: WrittenText) => void): (part: Part<"generation.generate">) => void {
  const told = new Map<number, number>();
  return ({ prompt, at, text }) => {
    const characters = [...text];
    const before = told.get(prompt) ?? 0;
    const fresh = characters.slice(Math.max(0, before - at)).join("");
    told.set(prompt, Math.max(before, at + characters.length));
    if (fresh !== "") onText({ prompt, text: fresh });
  };
}
