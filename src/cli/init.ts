import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { DepthkitError } from "../index.ts";
import { runCommand } from "./command.ts";

/** What a first plan needs to know. */
interface Answers {
  model: string;
  calibration: string;
  text: string;
}

interface Flags extends Partial<Answers> {
  json: boolean;
}

const questions: Readonly<Record<keyof Answers, string>> = {
  model: "The model: a bundled name, a folder, a .gguf file or a hub id [smollm2-135m]",
  calibration: "Text to rank and repair on, a .txt or .jsonl file [calibration.jsonl]",
  text: "Other text, to measure on [test.txt]",
};
const defaults: Answers = { model: "smollm2-135m", calibration: "calibration.jsonl", text: "test.txt" };
const names = Object.keys(questions) as (keyof Answers)[];

export function registerInit(command: Command): void {
  command
    .argument("[plan]", "the file to write", "plan.yaml")
    .option("--model <model>", "a bundled name, a folder, a .gguf file or a hub id")
    .option("--calibration <file>", "text to rank and repair on")
    .option("--text <file>", "other text, to measure on")
    .option("--json", "print one JSON document", false)
    .action(async (plan: string, flags: Flags) => {
      await runCommand(flags, async ({ signal }) => {
        write(plan, planOf(await answersOf(flags, signal)));
        const next = [`npx depthkit plan ${plan}`, `npx depthkit run ${plan} --out runs/first`];
        return {
          json: { plan, next },
          text: [
            `${plan} is a first plan: change what you like (docs/studies.md), then`,
            ...next.map((line) => `  ${line}`),
          ].join("\n"),
        };
      });
    });
}

/** What was not given is asked for in a terminal; elsewhere nobody could answer. */
async function answersOf(flags: Flags, signal: AbortSignal): Promise<Answers> {
  const missing = names.filter((name) => flags[name] === undefined);
  if (missing.length > 0 && !(process.stdin.isTTY && process.stderr.isTTY)) {
    const list = missing.map((name) => `--${name}`).join(", ");
    throw new DepthkitError("INVALID_ARGUMENT", `Writing a plan: nobody can be asked here, so give ${list}.`);
  }
  const answers: Answers = { ...defaults };
  const lines =
    missing.length === 0 ? undefined : createInterface({ input: process.stdin, output: process.stderr });
  try {
    for (const name of names) {
      const given = flags[name] ?? (await lines?.question(`${questions[name]}: `, { signal }));
      if (given !== undefined && given.trim() !== "") answers[name] = given.trim();
    }
  } catch (cause) {
    throw new DepthkitError("CANCELLED", "Writing a plan was cancelled.", { cause });
  } finally {
    lines?.close();
  }
  return answers;
}

const planOf = ({
  model,
  calibration,
  text,
}: Answers): string => `# A study of depth: npx depthkit run this file --out runs/first
model: ${JSON.stringify(model)}
calibration: { data: ${JSON.stringify(calibration)}, sequences: 16, length: 256 }
rankings: # ways to say what goes first
  - { by: influence, metric: { each: [cosine, relative-l2] } }
  - { by: influence, units: attention }
  - { by: leave-one-out, candidates: 10 }
  - { by: search, recipe: tail } # the control that every ranking must beat
removals: [1, 2, 4]
repairs: # what is put in place of what goes
  - { method: emulated-update }
  - { method: low-rank, rank: 32 }
evaluations:
  - { kind: perplexity, data: ${JSON.stringify(text)}, chunk: 256, maxChunks: 16 }
`;

/** Nothing is ever replaced. */
function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (cause) {
    const there = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new DepthkitError(
      there ? "TARGET_NOT_EMPTY" : "INVALID_ARGUMENT",
      `Writing the plan ${path}: ${there ? "it is there already. Name another file." : `${(cause as Error).message}.`}`,
      { cause },
    );
  }
}
