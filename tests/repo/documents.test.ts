/** Programs in documents mean what the sources say: they compile, strictly. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Every whole program: what begins with its imports. Shorter pieces speak of what the text around them names. */
const programs = execFileSync("git", ["ls-files", "README.md", "docs"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((path) => path.endsWith(".md"))
  .flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/```ts\n(import [\s\S]*?)```/g)].map(
      ([, code = ""], at) => [`${path.replace(/\W/g, "-")}-${at}.ts`, code] as const,
    ),
  )
  // Loggers and counters of its reader's own.
  .filter(([, code]) => !/pino\(|model\.info;/.test(code));

test("programs in documents compile", () => {
  const folder = join(root, ".depthkit/programs");
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder, { recursive: true });
  for (const [name, code] of programs) writeFileSync(join(folder, name), code);
  const config = { extends: join(root, "tsconfig.json"), include: ["*.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  expect(programs.length).toBeGreaterThan(10);
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});
