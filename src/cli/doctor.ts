import type { Command } from "commander";
import { type DoctorReport, doctor } from "../index.ts";
import { runCommand } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";

interface Flags {
  folders: string[];
  clean: boolean;
  json: boolean;
}

export function registerDoctor(command: Command): void {
  command
    .option(
      "--folders <paths...>",
      "folders that exports or saves go to: look there, too, for what killed ones left",
      [],
    )
    .option("--clean", "remove what killed processes left there and in the cache", false)
    .option("--json", "print one JSON document", false)
    .action((flags: Flags) =>
      runCommand(flags, async ({ signal }) => {
        const { folders, clean } = flags;
        const report = await doctor({ folders, clean, signal });
        return {
          json: report,
          text: doctorText(report),
          exitCode: report.healthy ? exitCodes.done : exitCodes.failed,
        };
      }),
    );
}

function doctorText(report: DoctorReport): string {
  const { node, machine, python, cache, onnx, leftovers, problems } = report;
  const rows: [string, string][] = [
    ["depthkit", `${node.depthkit}, Node ${node.version}, ${node.platform}`],
    ["npm packages", versions(node.packages)],
    [
      "machine",
      `${machine.cpu}, ${machine.cores} cores, ${size(machine.memoryBytes)} memory ` +
        `(${size(machine.freeMemoryBytes)} free)`,
    ],
    ["Python", interpreterText(python)],
    ["packages", python.packages ? versions(python.packages) : "not known"],
    ["extras", python.extras ? versions(python.extras) : "not known"],
    ["torch", torchText(python.devices)],
    ["devices", devicesText(python.devices)],
    ["attention", attentionText(python.attention)],
    ["ONNX exports", onnxText(onnx)],
    ["cache", `${cache.folder} (${size(cache.freeBytes)} free)`],
    ...cache.environments.map((entry): [string, string] => [
      "  environment",
      `${entry.name}, ${size(entry.bytes)}, ${entry.state}${entry.inUse ? ", in use" : ""}`,
    ]),
    ...cache.models.map((entry): [string, string] => [
      "  model",
      `${entry.name}, ${size(entry.bytes)}, ${entry.whole ? "ready" : "not whole"}`,
    ]),
    ...(leftovers ?? []).map((entry): [string, string] => [
      "  left over",
      `${entry.folder}, ${size(entry.bytes)}, ${entry.removed ? "removed" : entry.owner}`,
    ]),
    ...(leftovers === null ? [["left over", "not known"] as [string, string]] : []),
  ];
  const lines = rows.map(([name, text]) => `${name.padEnd(14)} ${text}`);
  const found = problems.map(
    ({ severity, code, message, remedy }) => `${severity} ${code}: ${message}\n  ${remedy}`,
  );
  return [...lines, "", ...(found.length > 0 ? found : ["No problems found."])].join("\n");
}

function interpreterText({ command, managed, interpreter }: DoctorReport["python"]): string {
  if (command === null) return "none";
  const about = interpreter ? `${interpreter.implementation} ${interpreter.version}` : "does not answer";
  const whose = managed ? "managed" : "DEPTHKIT_PYTHON";
  return `${command} (${about}, ${whose})`;
}

function torchText(devices: DoctorReport["python"]["devices"]): string {
  if (!devices) return "not known";
  const build = devices.cudaBuild === null ? "without CUDA" : `for CUDA ${devices.cudaBuild}`;
  return `${devices.torch}, built ${build}`;
}

function devicesText(devices: DoctorReport["python"]["devices"]): string {
  if (!devices) return "not known";
  const cuda = devices.cuda.map(
    (device, index) =>
      `cuda:${index} ${device.name} (${size(device.memoryBytes)}, compute ${device.capability})`,
  );
  return [`cpu (${devices.threads} threads)`, ...cuda, ...(devices.mps ? ["mps"] : [])].join(", ");
}

function onnxText({ state, packages }: DoctorReport["onnx"]): string {
  if (packages !== null) return versions(packages);
  const name = state === "missing" ? "not installed" : state;
  return `${name} (npx depthkit setup --with onnx)`;
}

function attentionText(attention: DoctorReport["python"]["attention"]): string {
  if (!attention) return "not known";
  const { flash, memoryEfficient, math, flashAttn } = attention;
  const kernels = [flash && "flash", memoryEfficient && "memory-efficient", math && "math"].filter(Boolean);
  return `eager, sdpa (${kernels.join(", ")})${flashAttn === null ? "" : `, flash-attn ${flashAttn}`}`;
}

function versions(packages: Readonly<Record<string, string | null>>): string {
  return Object.entries(packages)
    .map(([name, version]) => `${name} ${version ?? "not installed"}`)
    .join(", ");
}

function size(bytes: number): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
