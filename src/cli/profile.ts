import type { Command } from "commander";
import type { ModelProfile, Profile, Speed, UnitName } from "../index.ts";
import { type Column, formatBytes, formatCount, formatSeconds, renderTable } from "../report/index.ts";
import { profileOptions } from "../schemas.ts";
import { runCommand } from "./command.ts";
import { addPolicyFlag, type PolicyFlag, skipRows, underPolicy } from "./policy-flag.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addSubjectFlags, loadSubject, type SubjectFlags } from "./subject.ts";

const styles = { batchSizes: { commas: true }, modes: { commas: true } };

interface Flags extends SubjectFlags, PolicyFlag {}

export function registerProfile(command: Command): void {
  addSchemaFlags(addPolicyFlag(addSubjectFlags(command)), profileOptions, styles).action(
    async (flags: Flags) => {
      await runCommand(flags, ({ signal, progress }) =>
        withWorker(signal, async (kit) => {
          const call = { signal, onProgress: progress.update };
          const { model, subnetwork } = await loadSubject(kit, flags, call);
          const options = schemaOptions(profileOptions, flags, styles);
          const profile = await underPolicy(subnetwork, flags).profile({ ...options, ...call });
          return {
            json: { model: model.info, removed: subnetwork.removed, policy: flags.policy, ...profile },
            text: textOf(profile, subnetwork.removed),
          };
        }),
      );
    },
  );
}

function textOf(profile: Profile, removed: readonly UnitName[]): string {
  const { dense, masked, physical } = profile;
  const models = [dense, masked, physical].filter((model) => model !== undefined);
  const columns: Column[] = [
    { title: "" },
    ...models.map(({ mode }): Column => ({ title: mode, align: "right" })),
  ];
  const row = (title: string, of: (model: ModelProfile) => string) => [title, ...models.map(of)];
  const rows = [
    row("blocks", ({ blocks }) => formatCount(blocks)),
    row("parameters", ({ parameters }) => formatCount(parameters)),
    row(`stored, ${profile.storedDtype}`, ({ storedBytes }) => formatBytes(storedBytes)),
    row("KV cache per token", ({ kvBytesPerToken }) => formatBytes(kvBytesPerToken)),
    row("peak memory", ({ peakBytes }) => formatBytes(peakBytes)),
    row("reading, tokens/s", ({ prefill }) => speedOf(prefill)),
    ...dense.decode.map(({ batchSize }, index) =>
      row(`writing ${batchSize}, tokens/s`, ({ decode }) => speedOf(decode[index])),
    ),
  ];
  const { device, dtype, threads, promptTokens, contextTokens, newTokens, rounds, seconds } = profile;
  return [
    `Removed: ${removed.join(", ") || "nothing"}`,
    renderTable(columns, rows),
    ...skipRows(profile.skips).map((words) => words.join(" ")),
    `Medians of ${rounds} rounds (quartiles), and the ratio to dense of the same rounds; ${dtype} on ` +
      `${device}, ${threads} threads; ` +
      `${promptTokens} tokens read, ${newTokens} written behind ${contextTokens}. ${formatSeconds(seconds)}`,
  ].join("\n\n");
}

function speedOf(speed: Speed | undefined): string {
  if (speed === undefined) return "";
  const { tokensPerSecond, againstDense } = speed;
  const { median, lowerQuartile, upperQuartile } = tokensPerSecond;
  const [low, middle, high] = [lowerQuartile, median, upperQuartile].map((value) => value.toFixed(1));
  return `${middle} (${low} - ${high}) x${againstDense.median.toFixed(2)}`;
}
