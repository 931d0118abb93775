import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/python/open-python.ts", "src/cli/main.ts"],
  unbundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  dts: true,
  sourcemap: true,
  fixedExtension: false,
});
