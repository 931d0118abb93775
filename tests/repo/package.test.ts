/** The package as it is published: packed, laid into a project of its own, and used there. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { extraRequirements, workerExtras } from "../../src/environment/extras.ts";
import { onnxRequirements } from "../../src/environment/onnx-environment.ts";
import { workerRequirements } from "../../src/environment/requirements.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const app = mkdtempSync(join(tmpdir(), "depthkit-app-"));
const modules = join(app, "node_modules");
const installed = join(modules, "depthkit");
const bytecode = join(root, "python/src/depthkit_worker/__pycache__/left.cpython-311.pyc");

beforeAll(() => {
  // A worker that ran from here leaves such files.
  mkdirSync(dirname(bytecode), { recursive: true });
  writeFileSync(bytecode, "");
  // It builds first.
  const options = { cwd: root, shell: process.platform === "win32", encoding: "utf8" } as const;
  const said = execFileSync("npm", ["pack", "--silent", "--pack-destination", app], options);
  execFileSync("tar", ["-xzf", said.trim().split("\n").at(-1) ?? ""], { cwd: app });
  mkdirSync(modules);
  renameSync(join(app, "package"), installed);
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), "@types/node"]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name), "junction");
  }
  // What the README says to set in a new project.
  writeFileSync(join(app, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(app, "trace.js"), trace);
});
afterAll(() => {
  rmSync(app, { recursive: true, force: true });
  rmSync(bytecode, { force: true });
});

test("holds the examples, the documents and the schemas, and nothing that Python compiled", () => {
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  for (const path of ["examples/01-rank-blocks/main.ts", "docs/errors.md", "schemas/record.schema.json"]) {
    expect(files).toContain(join(path));
  }
  expect(files.filter((path) => /\.pyc$|__pycache__/.test(path))).toEqual([]);
});

test("holds what setup installs from, for the worker and for every extra", () => {
  const extras = workerExtras.map(extraRequirements);
  for (const from of [workerRequirements(), onnxRequirements(), ...extras]) {
    for (const path of [from.requirements, from.constraints]) {
      expect(existsSync(join(installed, relative(root, path))), path).toBe(true);
    }
  }
});

test("publint finds nothing", () => {
  const publint = join(root, "node_modules/.bin/publint");
  expect(execFileSync(publint, ["run", installed, "--strict"], { encoding: "utf8" })).toContain("All good");
});

test("its schemas can be had by name", () => {
  const require = createRequire(pathToFileURL(join(app, "main.js")));
  expect(require("depthkit/schemas/wire.schema.json")).toHaveProperty("$defs");
});

const program = `
import { Depthkit, DepthkitError, type ModelInfo, type StudyRecord } from "depthkit";
import { openPython } from "depthkit/python";
import { type ReportDocument, renderReport, renderTable } from "depthkit/report";
import { planSchema } from "depthkit/schemas";
import { estimateShapley } from "depthkit/shapley";

export async function main(signal: AbortSignal): Promise<ModelInfo> {
  await using kit = await Depthkit.start();
  await using model = await kit.loadModel("smollm2-135m", { signal });
  return model.info;
}
export const title = (document: ReportDocument): string => document.title;
export const depth = (record: StudyRecord): number => record.models[0]?.info.depth ?? 0;
export { DepthkitError, estimateShapley, openPython, planSchema, renderReport, renderTable };
`;

test.each([
  ["the types of Node and no library of the DOM", { lib: ["ES2022"], types: ["node"] }],
  ["the default library and no types of Node", { types: [] }],
])("a strict program compiles with %s", (_, options) => {
  writeFileSync(join(app, "program.ts"), program);
  const compilerOptions = { strict: true, noEmit: true, target: "es2022", module: "nodenext", ...options };
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  const tsc = join(root, "node_modules/typescript/lib/tsc.js");
  const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", app], { encoding: "utf8" });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});

test("programs in its comments compile", () => {
  const comments = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".d.ts"))
    .flatMap(
      (path) => readFileSync(join(installed, "dist", path), "utf8").match(/\/\*\*[\s\S]*?\*\//g) ?? [],
    );
  const programs = comments.flatMap((comment) =>
    [...comment.replaceAll(/^ *\* ?/gm, "").matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) => code),
  );
  expect(programs.length).toBeGreaterThan(0);
  const files = programs.map((_, at) => `comment-${at}.ts`);
  for (const [at, file] of files.entries()) writeFileSync(join(app, file), programs[at] ?? "");
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "es2022",
    module: "nodenext",
    types: ["node"],
  };
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const tsc = join(root, "node_modules/typescript/lib/tsc.js");
  const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", app], { encoding: "utf8" });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});

test("its declarations have no generic typed arrays, which TypeScript before 5.7 refuses", () => {
  const declarations = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".d.ts"),
  );
  expect(declarations.length).toBeGreaterThan(50);
  const generic = declarations.filter((path) =>
    /(Int|Uint|Float)\d+Array</.test(readFileSync(join(installed, "dist", path), "utf8")),
  );
  expect(generic).toEqual([]);
});

test("an editor shows words for every field of what the worker answers, and of a run's record", () => {
  const entry = join(installed, "dist/index.d.ts");
  const program = ts.createProgram([entry], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: [],
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} is no module`);
  let fields = 0;
  const silent = checker.getExportsOfModule(module).flatMap((exported) => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    if (!(symbol.flags & ts.SymbolFlags.TypeAlias) || !(type.flags & ts.TypeFlags.Object)) return [];
    return type.getProperties().flatMap((field) => {
      const file = field.declarations?.[0]?.getSourceFile().fileName ?? "";
      if (!/depthkit\/dist\/(protocol|experiment|doctor)\//.test(file)) return [];
      fields += 1;
      return field.getDocumentationComment(checker).length > 0 ? [] : [`${exported.name}.${field.name}`];
    });
  });
  expect(fields).toBeGreaterThan(200);
  expect(silent).toEqual([]);
});

/** Preloaded, it says at the end which modules were loaded. */
const trace = `
import { writeSync } from "node:fs";
import { register } from "node:module";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
const { port1, port2 } = new MessageChannel();
const hooks = \`
  let port;
  export function initialize(given) { port = given; }
  export function load(url, context, next) { port.postMessage(url); return next(url, context); }
\`;
register("data:text/javascript," + encodeURIComponent(hooks), { data: port2, transferList: [port2] });
process.on("exit", () => {
  for (let got = receiveMessageOnPort(port1); got; got = receiveMessageOnPort(port1)) {
    writeSync(2, "loaded " + got.message + "\\n");
  }
});
`;

/** The packages that a run of Node loads modules of. */
function packagesOf(args: readonly string[]): { packages: string[]; status: number | null } {
  const options = { cwd: app, encoding: "utf8" } as const;
  const { stderr, status } = spawnSync(process.execPath, ["--import", "./trace.js", ...args], options);
  const urls = [...stderr.matchAll(/^loaded (.+)$/gm)].map(([, url = ""]) => url);
  const names = urls.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []);
  return { packages: [...new Set(names)].sort(), status };
}

test("importing it loads neither the schemas nor ZeroMQ; a call that needs them does", () => {
  const imported = 'import { DepthkitError, doctor } from "depthkit";';
  writeFileSync(join(app, "import.js"), imported);
  expect(packagesOf(["import.js"])).toEqual({ packages: ["depthkit", "pure-rand"], status: 0 });
  writeFileSync(join(app, "call.js"), `${imported}\nawait doctor();`);
  expect(packagesOf(["call.js"]).packages).toContain("zod");
});

test("importing the report loads none of what draws it", () => {
  writeFileSync(join(app, "report.js"), 'import { renderReport, renderTable } from "depthkit/report";');
  expect(packagesOf(["report.js"])).toEqual({ packages: ["depthkit"], status: 0 });
  // Not traced: it loads so many modules that their names fill the pipe.
  const call = `import { renderReport } from "depthkit/report";
    const nothing = { kicker: [], numbers: [], findings: [], sections: [], protocols: [], environment: [] };
    const files = await renderReport({ ...nothing, title: "Empty", standfirst: "Nothing was found." });
    console.log([...files.keys()].join());`;
  writeFileSync(join(app, "draw.js"), call);
  const { stdout, status } = spawnSync(process.execPath, ["draw.js"], { cwd: app, encoding: "utf8" });
  expect({ stdout, status }).toEqual({ stdout: "report.html\n", status: 0 });
});

test("the list of commands loads the list alone, a command's help that command", () => {
  const bin = "node_modules/depthkit/bin/depthkit.js";
  for (const flag of ["--help", "--version"]) {
    expect(packagesOf([bin, flag])).toEqual({ packages: ["commander", "depthkit"], status: 0 });
  }
  const { packages, status } = packagesOf([bin, "influence", "--help"]);
  expect({ zod: packages.includes("zod"), status }).toEqual({ zod: true, status: 0 });
});
