import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function run(file: string) {
  const child = spawn(process.execPath, ["--import", "tsx", file], { cwd: root });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      output += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

// A server that is never done is tested by what it serves (backend.test.ts).
test.each(readdirSync(join(root, "examples")).filter((name) => name !== "backend"))(
  "examples/%s ends with 0",
  async (name) => {
    expect(await run(join("examples", name, "main.ts"))).toMatchObject({ code: 0 });
  },
  300_000,
);

test("the README's example runs as it stands there", async () => {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1] ?? "";
  expect(code.trim().split("\n").length).toBeLessThanOrEqual(15);
  const file = join(root, ".depthkit", "readme-example.ts");
  const target = join(root, ".depthkit", "readme-example-out");
  rmSync(target, { recursive: true, force: true });
  writeFileSync(file, code.replace("out/smaller", target));
  const result = await run(file);
  expect(result).toMatchObject({ code: 0 });
  expect(readdirSync(target)).toContain("model.safetensors");
  rmSync(target, { recursive: true });
}, 300_000);
