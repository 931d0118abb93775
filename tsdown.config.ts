import { defineConfig } from "tsdown";

export default defineConfig({
  // Kept apart as in src: the doctor starts one of the modules in a process of its own.
  entry: ["src/index.ts", "src/shapley/index.ts", "src/cli/main.ts", "src/worker/doctor-child.ts"],
  unbundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  dts: true,
  sourcemap: true,
  fixedExtension: false,
});
