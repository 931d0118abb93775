/** How the numbers of a study were had, in words. */
import type { StudyRecord } from "../../experiment/study/record.ts";
import { formatCount } from "../../platform/format.ts";
import type { ReportProtocol } from "../document.ts";
import type { Study } from "./study.ts";

type Said = Readonly<Record<string, unknown>>;

export function protocolsIn(study: Study): ReportProtocol[] {
  const { record } = study;
  const evaluations = [...study.protocols].map(([name, id]): ReportProtocol => {
    const found = record.evaluations.find(({ evaluation, error }) => evaluation === name && error === null);
    return {
      id,
      name,
      description:
        found === undefined ? "It could not be measured." : evaluationWords(found.protocol) + followed(found),
    };
  });
  const calibrations = [...study.calibrationProtocols].map(([name, id]): ReportProtocol => {
    const own = record.calibrations.filter(({ calibration }) => calibration === name);
    return { id, name: `${name}, calibration`, description: calibrationWords(own) };
  });
  return [...evaluations, ...calibrations];
}

function evaluationWords(protocol: Said): string {
  const number = (key: string) => formatCount(Number(protocol[key]));
  const bos = protocol["bosAdded"] === true ? "a BOS token in front" : "no BOS token added";
  const digest = (of: unknown) => `sha256 ${String(of).slice(0, 12)}`;
  switch (protocol["evaluation"]) {
    case "perplexity":
      return (
        `Perplexity: exp of the mean cross entropy. ${number("chunks")} chunks of ${number("chunk")} tokens, ` +
        `stride ${number("stride")}, ${bos}, ${number("tokensScored")} tokens scored of ${number("tokensTotal")}; ` +
        `text ${digest((protocol["data"] as Said | undefined)?.["digest"])}.`
      );
    case "questions":
      return (
        `Accuracy by the log-likelihood of the choices. ${number("items")} questions of the format ` +
        `${String(protocol["format"])}, ${number("shots")} examples in front of each, ${bos}; ` +
        `task ${digest(protocol["digest"])}.`
      );
    case "written":
    case "probe":
      return (
        `Written answers, greedy, compared by "${String(protocol["score"])}". ${number("items")} questions, ` +
        `${number("shots")} examples in front of each, at most ${number("maxNewTokens")} tokens; ` +
        `task ${digest(protocol["digest"])}.`
      );
    case "lm-eval":
      return `By lm-evaluation-harness ${String(protocol["lmEvalVersion"])}, by its own rules.`;
    default:
      return "Timed on this device against the whole model, in turn with it.";
  }
}

/** What was followed, with its settings. */
function followed({ protocol }: StudyRecord["evaluations"][number]): string {
  const policy = protocol["policy"] as (Said & { kind: string }) | undefined;
  if (policy === undefined) return "";
  const { kind, ...settings } = policy;
  const said = Object.entries(settings).map(([name, value]) => `${name} ${[value].flat().join(", ")}`);
  return ` Under the policy ${kind}: ${said.join("; ")}.`;
}

function calibrationWords(own: readonly StudyRecord["calibrations"][number][]): string {
  const [first] = own;
  if (first === undefined) return "It could not be read.";
  const { measured, deciding } = first;
  const last = deciding.at(-1);
  const decided =
    last === undefined ? "" : ` Searches decided on the ${last.sequences} sequences behind these.`;
  return (
    `What units were ranked on and repairs fitted to: ${measured.sequences} sequences of ${measured.length} ` +
    `tokens, ${measured.bosAdded ? "a BOS token in front" : "no BOS token added"}, ` +
    `text sha256 ${measured.data.digest.slice(0, 12)}; ${own.length} ${own.length === 1 ? "draw" : "draws"}.` +
    decided
  );
}

/** With what it was made. */
export function environmentOf({ record }: Study): { name: string; value: string }[] {
  const { worker, node, platform } = record.environment;
  const packages = worker.packages.map(({ name, version }) => `${name} ${version}`).join(", ");
  const accelerators = worker.accelerators.map(({ name }) => name).join(", ");
  return [
    ...record.models.map(({ name, info }) => ({
      name,
      value:
        `${info.modelType}, ${info.depth} blocks, ${formatCount(info.parameters)} parameters, ${info.dtype} on ` +
        `${info.device}, ${info.attention} attention, weights sha256 ${info.weightsDigest.slice(0, 12)}`,
    })),
    { name: "depthkit", value: record.depthkitVersion },
    { name: "Node", value: `${node} on ${platform}` },
    { name: "Python", value: `${worker.python} on ${worker.system}, ${worker.threads} threads` },
    { name: "packages", value: packages },
    ...(accelerators === "" ? [] : [{ name: "accelerators", value: accelerators }]),
  ];
}
