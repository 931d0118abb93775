import type { Command } from "commander";

/** A command: what the list of them says, and how to have the rest of it. */
export interface CommandEntry {
  readonly name: string;
  readonly description: string;
  /** What its help ends with: lines that a shell takes, of files that lie in the folder. */
  readonly examples: readonly string[];
  /** Adds its flags and its action; loaded when it is asked for, since most of the time goes there. */
  readonly load: () => Promise<(command: Command) => void>;
}

/** In the order in which the help lists them. */
export const commands: readonly CommandEntry[] = [
  {
    name: "setup",
    description: "Prepare the worker's Python environment and the bundled model; once is enough.",
    examples: ["npx depthkit setup"],
    load: async () => (await import("./setup.ts")).registerSetup,
  },
  {
    name: "doctor",
    description: "Show the interpreter, versions, devices and cache a worker would use, and what is wrong.",
    examples: ["npx depthkit doctor"],
    load: async () => (await import("./doctor.ts")).registerDoctor,
  },
  {
    name: "prune",
    description:
      "Make a model smaller by a budget: search under repair, compare, and save the best set found.",
    examples: ["npx depthkit prune --model smollm2-135m --budget 25% --data calibration.jsonl --out smaller"],
    load: async () => (await import("./prune.ts")).registerPrune,
  },
  {
    name: "influence",
    description:
      "Measure how far each block, attention and feed-forward sublayer moves the residual stream, or what " +
      "the loss would gain without it, by gradients.",
    examples: [
      "npx depthkit influence --model smollm2-135m --data calibration.jsonl --sequences 32 --length 512",
    ],
    load: async () => (await import("./influence.ts")).registerInfluence,
  },
  {
    name: "shapley",
    description:
      "Estimate what each unit is worth beside the others: Shapley or horizon values, with errors.",
    examples: [
      "npx depthkit shapley --model smollm2-135m --candidates 15 --data calibration.jsonl --sequences 8 --length 128",
    ],
    load: async () => (await import("./shapley.ts")).registerShapley,
  },
  {
    name: "search",
    description:
      "Choose which units to remove, by looking at sets of them, and say what the choice is worth.",
    examples: [
      "npx depthkit search --model smollm2-135m --data calibration.jsonl --budget 5 --candidates 15",
    ],
    load: async () => (await import("./search.ts")).registerSearch,
  },
  {
    name: "routes",
    description:
      "Choose a mask for each kind of text and learn which prompt goes to which, and say what that is worth.",
    examples: [
      "npx depthkit routes --model smollm2-135m --texts prose=calibration.jsonl other=test.txt --length 128 " +
        "--recipe shortgpt --budget 5 --save routes",
    ],
    load: async () => (await import("./routes.ts")).registerRoutes,
  },
  {
    name: "repair",
    description: "Put something cheap where units were removed, or heal the rest, and save what comes out.",
    examples: [
      "npx depthkit repair --model smollm2-135m --remove 12-14 --method fold --data calibration.jsonl --save repaired",
    ],
    load: async () => (await import("./repair.ts")).registerRepair,
  },
  {
    name: "evaluate",
    description:
      "Score the model, or what is left of it without some units: perplexity on text, accuracy on tasks.",
    examples: [
      "npx depthkit evaluate --model smollm2-135m --subnetwork repaired --dense --data test.txt",
      "npx depthkit evaluate --model smollm2-135m --remove lowest:3 --calibration calibration.jsonl --task arc_easy.jsonl",
    ],
    load: async () => (await import("./evaluate.ts")).registerEvaluate,
  },
  {
    name: "solve",
    description:
      "Let the model, or what is left of it, write answers to questions, and count the right ones.",
    examples: [
      'npx depthkit solve --model smollm2-135m --remove 14 --task gsm8k.jsonl --prompt "Q: {question}\\nA:" --score number',
    ],
    load: async () => (await import("./solve.ts")).registerSolve,
  },
  {
    name: "lm-eval",
    description:
      "Evaluate with lm-evaluation-harness, by its own rules (needs `depthkit setup --with lm-eval`).",
    examples: ["npx depthkit lm-eval --model smollm2-135m --remove 14 --tasks arc_easy --limit 100"],
    load: async () => (await import("./lm-eval.ts")).registerLmEval,
  },
  {
    name: "generate",
    description: "Let the model, or what is left of it without some units, continue a prompt.",
    examples: [
      'npx depthkit generate --model smollm2-135m --remove 14,attention.17 --prompt "A prime number is"',
    ],
    load: async () => (await import("./generate.ts")).registerGenerate,
  },
  {
    name: "profile",
    description: "What the model costs to store and to run without some units, against the whole model.",
    examples: ["npx depthkit profile --model smollm2-135m --remove 14,attention.17"],
    load: async () => (await import("./profile.ts")).registerProfile,
  },
  {
    name: "export",
    description: "Save the model without some units as a checkpoint that other software loads.",
    examples: [
      "npx depthkit export --model smollm2-135m --subnetwork repaired --out exported",
      "npx depthkit export --model smollm2-135m --remove 5,attention.17 --format gguf --out smaller.gguf",
      "npx depthkit export --model smollm2-135m --remove attention.17 --format onnx --out graphs",
    ],
    load: async () => (await import("./export.ts")).registerExport,
  },
  {
    name: "check",
    description: "Load an exported folder or GGUF file in the software that it is for, and compare answers.",
    examples: ["npx depthkit check exported"],
    load: async () => (await import("./check.ts")).registerCheck,
  },
  {
    name: "push",
    description: "Put an exported folder or GGUF file on the Hugging Face hub, as one commit.",
    examples: ["npx depthkit push exported OWNER/smaller --private"],
    load: async () => (await import("./push.ts")).registerPush,
  },
  {
    name: "init",
    description: "Write a first plan from a few answers.",
    examples: [
      "npx depthkit init plan.yaml --model smollm2-135m --calibration calibration.jsonl --text test.txt",
    ],
    load: async () => (await import("./init.ts")).registerInit,
  },
  {
    name: "plan",
    description: "Say what a plan will do and how long it takes on this device, before anything is begun.",
    examples: ["npx depthkit plan plan.yaml --out runs/first"],
    load: async () => (await import("./plan.ts")).registerPlan,
  },
  {
    name: "run",
    description: "Carry out a plan from a file: measure, remove step by step, score and show what is left.",
    examples: ["npx depthkit run plan.yaml --out runs/first"],
    load: async () => (await import("./run.ts")).registerRun,
  },
  {
    name: "report",
    description: "Turn the record of a study into one page with pictures, and each figure into files.",
    examples: ["npx depthkit report runs/first"],
    load: async () => (await import("./report.ts")).registerReport,
  },
  {
    name: "table",
    description: "Print the figures of a study, for people or as one row each.",
    examples: ["npx depthkit table runs/first --csv > first.csv"],
    load: async () => (await import("./table.ts")).registerTable,
  },
  {
    name: "compare",
    description: "Put two studies beside each other, only where their figures are of one protocol.",
    examples: ["npx depthkit compare runs/first runs/second"],
    load: async () => (await import("./compare.ts")).registerCompare,
  },
  {
    name: "demo",
    description: "Run the main job on the bundled model: measure, remove, compare, save.",
    examples: ["npx depthkit demo"],
    load: async () => (await import("./demo.ts")).registerDemo,
  },
  {
    name: "keys",
    description: "Make the key file of a worker that listens, or of its client, or let one trust the other.",
    examples: ["npx depthkit keys laptop.keys"],
    load: async () => (await import("./keys.ts")).registerKeys,
  },
  {
    name: "worker",
    description:
      "Serve clients on other machines until Ctrl-C; who comes and goes is told on standard error.",
    examples: [
      'npx depthkit worker --listen "tcp://*:5555" --keys gpu.keys',
      'npx depthkit worker --listen "tcp://*:5555" --keys gpu.keys --cluster ray://head:10001',
    ],
    load: async () => (await import("./worker.ts")).registerWorker,
  },
  {
    name: "fetch",
    description: "Copy an export or a saved subnetwork from a remote worker's machine to this one.",
    examples: ["npx depthkit fetch /out/smaller smaller --worker tcp://gpu:5555 --keys laptop.keys"],
    load: async () => (await import("./fetch.ts")).registerFetch,
  },
  {
    name: "completion",
    description: "Print what bash, zsh or fish need to complete commands and flags.",
    examples: ["source <(depthkit completion bash)"],
    load: async () => {
      const { registerCompletion } = await import("./completion.ts");
      return (command) => registerCompletion(command, commands);
    },
  },
];
