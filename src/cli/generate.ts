import type { Command } from "commander";
import type { Generation } from "../index.ts";
import { formatBytes, formatSeconds } from "../report/index.ts";
import { generateOptions } from "../schemas.ts";
import { runCommand } from "./command.ts";
import { addTokensFlag, type TokensFlag, withTokens } from "./first-tokens.ts";
import { addPolicyFlag, type PolicyFlag, skipRows, underPolicy } from "./policy-flag.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";
import { textStream } from "./terminal/text-stream.ts";

interface Flags extends SubjectFlags, PolicyFlag, TokensFlag {
  prompt: string[];
}

const styles = { cache: { help: "compute every step anew, without a KV cache" } };

export function registerGenerate(command: Command): void {
  addTokensFlag(addPolicyFlag(addSubjectFlags(command))).requiredOption(
    "--prompt <texts...>",
    "what to continue",
  );
  addSchemaFlags(command, generateOptions, styles).action(async (flags: Flags) => {
    await runCommand(flags, ({ signal, progress }) =>
      withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        const { model, subnetwork } = await loadSubject(kit, flags, call);
        const options = schemaOptions(generateOptions, flags, styles);
        // Texts of a batch grow side by side, which lines one below the other cannot show.
        const live = process.stdout.isTTY && !flags.json && (options.batchSize ?? 1) === 1;
        if (live) progress.stop();
        const view = live ? textStream(process.stdout, flags.prompt) : undefined;
        const heard = view === undefined ? call : { signal, onText: view.write };
        const result = await underPolicy(subnetwork, flags)
          .generate(flags.prompt, { ...options, ...heard })
          .finally(() => view?.end());
        const texts = result.generations.map((generation) =>
          view === undefined
            ? [`> ${generation.prompt}`, generation.text, ending(generation)].join("\n")
            : ending(generation),
        );
        const kept = formatBytes(result.kvBytesPerToken);
        const skipped = skipRows(result.skips).map((words) => words.join(" "));
        const cost = `KV cache ${kept} per token; ${formatSeconds(result.seconds)}`;
        return {
          json: { model: model.info, removed: subnetwork.removed, policy: flags.policy, ...result },
          text: withTokens(
            [...texts, ...skipped, cost].join("\n\n"),
            flags,
            result.generations.map(({ firstTokens }, index) => ({
              name: `prompt ${index + 1}`,
              firstTokens,
            })),
          ),
        };
      }),
    );
  });
}

const ending = ({ tokenIds, finish }: Generation) => `[${tokenIds.length} tokens, ended by ${finish}]`;
