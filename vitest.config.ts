import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/{unit,integration,repo}/**/*.test.ts"],
    // Every integration file holds a real worker with a model in memory; two at a time is what two cores bear.
    maxWorkers: 2,
    // Generous: on a busy machine a forward pass takes many times as long.
    testTimeout: 240_000,
    hookTimeout: 300_000,
  },
});
