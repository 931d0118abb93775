/**
 * Programs and commands in documents mean what the sources say: they compile, strictly, and their flags
 * exist.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { expect, onTestFinished, test } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { addRemoteFlags } from "../../src/cli/remote-flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const documents = execFileSync("git", ["ls-files", "README.md", "CONTRIBUTING.md", "docs"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path.endsWith(".md"))
  .map((path) => [path, readFileSync(join(root, path), "utf8")] as const);

/**
 * Every whole program: what begins with its imports. Shorter pieces speak of what the text around them names.
 */
const programs = documents
  .flatMap(([path, text]) =>
    [...text.matchAll(/```ts\n(import [\s\S]*?)```/g)].map(
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

test("commands in documents exist, with their flags", async () => {
  const longs = (command: Command) => command.options.map(({ long }) => long ?? "");
  const program = new Command();
  addRemoteFlags(program);
  const everywhere = ["--help", ...longs(program)];
  const flags = new Map<string, Set<string>>();
  for (const { name, load } of commands) {
    const command = new Command(name);
    (await load())(command);
    flags.set(name, new Set([...longs(command), ...everywhere]));
  }
  const lines = documents.flatMap(([path, text]) =>
    [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, shell = ""]) =>
      [...shell.replaceAll("\\\n", " ").matchAll(/\bdepthkit ([a-z][\w-]*)\b([^\n#|]*)/g)].map(
        ([, name = "", rest = ""]) => ({ path, name, asked: rest.match(/--[a-z][\w-]*/g) ?? [] }),
      ),
    ),
  );
  expect(lines.length).toBeGreaterThan(30);
  const wrong = lines.filter(({ name, asked }) => !asked.every((flag) => flags.get(name)?.has(flag)));
  expect(wrong).toEqual([]);
});
