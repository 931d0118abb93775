/** `npm run check`: everything that is wrong without running the product. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pythonTools } from "./python-tools.ts";
import { root, runStep } from "./steps.ts";

const bin = (name: string) => join(root, "node_modules", ".bin", name);
runStep(bin("biome"), ["check", "--error-on-warnings", "."]);
runStep(bin("tsc"), ["-p", "."]);
runStep(bin("depcruise"), ["--config", ".dependency-cruiser.cjs", "src"]);
runStep(bin("knip"), []);
for (const name of ["generate-contract", "generate-command-line", "api-reference"])
  runStep(process.execPath, ["--import", "tsx", `scripts/${name}.ts`, "--check"]);
// Files and headings that Markdown links to.
const pages = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.md"], {
  cwd: root,
  encoding: "utf8",
});
const links = ["--use", "remark-validate-links=repository:false", "--frail", "--quiet", "--no-stdout"];
runStep(bin("remark"), [...links, ...pages.trim().split("\n")]);

const { python, env } = await pythonTools();
const cwd = join(root, "python");
runStep(python, ["-m", "ruff", "check", ".", "../tests/python", "../bench"], { env, cwd });
runStep(python, ["-m", "ruff", "format", "--check", ".", "../tests/python", "../bench"], { env, cwd });
runStep(python, ["-m", "mypy"], { env, cwd });
runStep(python, ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"], {
  env,
  cwd,
});
runStep(python, ["-m", "vulture"], { env, cwd });
