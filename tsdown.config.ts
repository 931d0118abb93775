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
  // `await using` needs it, and a program that does not name it in its `lib` may use depthkit all the same.
  banner: { dts: `/// <reference lib="esnext.disposable" />` },
  sourcemap: true,
  fixedExtension: false,
});
