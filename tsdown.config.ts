import { defineConfig } from "tsdown";

export default defineConfig({
  entry: [
    "src/index.ts",
    "src/shapley/index.ts",
    "src/report/index.ts",
    "src/schemas.ts",
    "src/cli/main.ts",
    "src/python/index.ts",
  ],
  unbundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  dts: true,
  sourcemap: true,
  fixedExtension: false,
});
