import type { Command } from "commander";

/** A command: what the list of them says, and how to have the rest of it. */
export interface CommandEntry {
  readonly name: string;
  readonly description: string;
  /** Adds its flags and its action; loaded when it is asked for, since most of the time goes there. */
  readonly load: () => Promise<(command: Command) => void>;
}

/** In the order in which the help lists them. */
export const commands: readonly CommandEntry[] = [
  {
    name: "setup",
    description: "Prepare the worker's Python environment and the bundled model; once is enough.",
    load: async () => (await import("./setup.ts")).registerSetup,
  },
  {
    name: "doctor",
    description: "Show the interpreter, versions, devices and cache a worker would use, and what is wrong.",
    load: async () => (await import("./doctor.ts")).registerDoctor,
  },
  {
    name: "prune",
    description:
      "Make a model smaller by a budget: search under repair, compare, and save the best set found.",
    load: async () => (await import("./prune.ts")).registerPrune,
  },
  {
    name: "influence",
    description:
      "Measure how far each block, attention and feed-forward sublayer moves the residual stream, or what " +
      "the loss would gain without it, by gradients.",
    load: async () => (await import("./influence.ts")).registerInfluence,
  },
  {
    name: "shapley",
    description:
      "Estimate what each unit is worth beside the others: Shapley or horizon values, with errors.",
    load: async () => (await import("./shapley.ts")).registerShapley,
  },
  {
    name: "search",
    description:
      "Choose which units to remove, by looking at sets of them, and say what the choice is worth.",
    load: async () => (await import("./search.ts")).registerSearch,
  },
  {
    name: "routes",
    description:
      "Choose a mask for each kind of text and learn which prompt goes to which, and say what that is worth.",
    load: async () => (await import("./routes.ts")).registerRoutes,
  },
  {
    name: "repair",
    description: "Put something cheap where units were removed, or heal the rest, and save what comes out.",
    load: async () => (await import("./repair.ts")).registerRepair,
  },
  {
    name: "evaluate",
    description:
      "Score the model, or what is left of it without some units: perplexity on text, accuracy on tasks.",
    load: async () => (await import("./evaluate.ts")).registerEvaluate,
  },
  {
    name: "solve",
    description:
      "Let the model, or what is left of it, write answers to questions, and count the right ones.",
    load: async () => (await import("./solve.ts")).registerSolve,
  },
  {
    name: "lm-eval",
    description:
      "Evaluate with lm-evaluation-harness, by its own rules (needs `depthkit setup --with lm-eval`).",
    load: async () => (await import("./lm-eval.ts")).registerLmEval,
  },
  {
    name: "generate",
    description: "Let the model, or what is left of it without some units, continue a prompt.",
    load: async () => (await import("./generate.ts")).registerGenerate,
  },
  {
    name: "profile",
    description: "What the model costs to store and to run without some units, against the whole model.",
    load: async () => (await import("./profile.ts")).registerProfile,
  },
  {
    name: "export",
    description: "Save the model without some units as a checkpoint that other software loads.",
    load: async () => (await import("./export.ts")).registerExport,
  },
  {
    name: "init",
    description: "Write a first plan from a few answers.",
    load: async () => (await import("./init.ts")).registerInit,
  },
  {
    name: "plan",
    description: "Say what a plan will do and how long it takes on this device, before anything is begun.",
    load: async () => (await import("./plan.ts")).registerPlan,
  },
  {
    name: "run",
    description: "Carry out a plan from a file: measure, remove step by step, score and show what is left.",
    load: async () => (await import("./run.ts")).registerRun,
  },
  {
    name: "report",
    description: "Turn the record of a study into one page with pictures, and each figure into files.",
    load: async () => (await import("./report.ts")).registerReport,
  },
  {
    name: "table",
    description: "Print the figures of a study, for people or as one row each.",
    load: async () => (await import("./table.ts")).registerTable,
  },
  {
    name: "compare",
    description: "Put two studies beside each other, only where their figures are of one protocol.",
    load: async () => (await import("./compare.ts")).registerCompare,
  },
  {
    name: "demo",
    description: "Run the main job on the bundled model: measure, remove, compare, save.",
    load: async () => (await import("./demo.ts")).registerDemo,
  },
  {
    name: "keys",
    description: "Make the key file of a worker that listens, or of its client, or let one trust the other.",
    load: async () => (await import("./keys.ts")).registerKeys,
  },
  {
    name: "worker",
    description:
      "Serve clients on other machines until Ctrl-C; who comes and goes is told on standard error.",
    load: async () => (await import("./worker.ts")).registerWorker,
  },
  {
    name: "fetch",
    description: "Copy an export or a saved subnetwork from a remote worker's machine to this one.",
    load: async () => (await import("./fetch.ts")).registerFetch,
  },
  {
    name: "completion",
    description: "Print what bash, zsh or fish need to complete commands and flags.",
    load: async () => {
      const { registerCompletion } = await import("./completion.ts");
      return (command) => registerCompletion(command, commands);
    },
  },
];
