import type { Command } from "commander";
import { formatBytes, formatSeconds } from "../index.ts";
import { runCommand, withWorker } from "./command.ts";
import { realNumber, wholeNumber } from "./options.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

interface Flags extends SubjectFlags {
  prompt: string[];
  chat: boolean;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  seed: number;
  stop: string[];
  cache: boolean;
}

export function registerGenerate(program: Command): void {
  const command = program
    .command("generate")
    .description("Let the model, or what is left of it without some units, continue a prompt.");
  addSubjectFlags(command)
    .requiredOption("--prompt <texts...>", "what to continue")
    .option("--chat", "wrap the prompt as a user's turn in the model's chat template", false)
    .option("--max-new-tokens <n>", "tokens to write at most", wholeNumber(1), 64)
    .option("--temperature <t>", "0 is greedy", realNumber(0, 100), 0)
    .option(
      "--top-p <p>",
      "sample from the likeliest tokens that hold this much probability",
      realNumber(0, 1),
      1,
    )
    .option("--seed <n>", "for sampling", wholeNumber(0), 0)
    .option("--stop <texts...>", "stop once one of these was written", [])
    .option("--no-cache", "compute every step anew, without a KV cache")
    .action(async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork } = await loadSubject(kit, flags, call);
          const { prompt, chat, maxNewTokens, temperature, topP, seed, stop, cache } = flags;
          const options = { chat, maxNewTokens, temperature, topP, seed, stop, cache, ...call };
          const result = await subnetwork.generate(prompt, options);
          const texts = result.generations.map(({ prompt: start, text, tokenIds, finish }) =>
            [`> ${start}`, text, `[${tokenIds.length} tokens, ended by ${finish}]`].join("\n"),
          );
          const cost = `KV cache ${formatBytes(result.kvBytesPerToken)} a token; ${formatSeconds(result.seconds)}`;
          return {
            json: { model: model.info, removed: subnetwork.removed, ...result },
            text: [...texts, cost].join("\n\n"),
          };
        }),
      );
    });
}
