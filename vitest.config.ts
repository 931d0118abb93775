import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The longest, longest first, so that the last to end is short and no core is idle beside it. */
const LONGEST = [
  "examples",
  "command-line",
  "restart",
  "help-examples",
  "prune",
  "gguf",
  "main-job",
  "backend",
  "study",
  "cluster",
  "repair",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(`/integration/${name}.test.ts`));
      return found === -1 ? LONGEST.length : found;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  test: {
    include: ["tests/{unit,integration,repo}/**/*.test.ts"],
    // Every integration file holds a real worker with a model in memory, of one thread each: several of more
    // threads wait for each other's cores at the end of every operation. Three keep two cores at work
    // while one of them starts a process, or waits for one that it killed.
    maxWorkers: 3,
    env: { OMP_NUM_THREADS: "1" },
    sequence: { sequencer: LongestFirst },
    // Far away: they end what hangs, and say nothing of speed, which a busy machine takes away.
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
  },
});
