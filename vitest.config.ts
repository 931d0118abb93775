import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/{unit,integration,repo}/**/*.test.ts"],
    // Every integration file holds a real worker with a model in memory; two at a time is what two cores
    // bear.
    maxWorkers: 2,
    // Far away: they end what hangs, and say nothing of speed, which a busy machine takes away.
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
  },
});
