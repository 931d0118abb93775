import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { errorCodes, isErrorCode } from "../../src/errors.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .trim()
  .split("\n")
  .filter((path) => existsSync(join(root, path)));

test("what is derived from the contract is up to date", () => {
  execFileSync(process.execPath, ["--import", "tsx", "scripts/generate-contract.ts", "--check"], {
    cwd: root,
  });
});

test("the import walls stand", () => {
  execFileSync(join(root, "node_modules/.bin/depcruise"), ["--config", ".dependency-cruiser.cjs", "src"], {
    cwd: root,
  });
});

const manifest = JSON.parse(read("package.json")) as { exports: Record<string, { default?: string }> };
const entries = Object.entries(manifest.exports).flatMap(([name, { default: built }]) =>
  built === undefined ? [] : [[name, built.replace("./dist/", "src/").replace(/js$/, "ts")] as const],
);

test.each(entries)(
  "%s has these public names, types among them; a change is one of the API",
  async (_, entry) => {
    const api = (await import(join(root, entry))) as object;
    // Every export of an entry is a list of names in braces.
    const names = [...read(entry).matchAll(/^export (?:type )?\{([^}]*)\} from/gm)]
      .flatMap(([, list = ""]) => list.split(","))
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "");
    expect(names).toEqual(expect.arrayContaining(Object.keys(api)));
    expect(names.sort()).toMatchSnapshot();
  },
);

test("docs/errors.md lists every code, and no other", () => {
  const listed = [...read("docs/errors.md").matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  expect(listed).toEqual([...errorCodes]);
});

test("the worker raises no code that is not in the set", () => {
  const raised = tracked
    .filter((path) => path.startsWith("python/src/") && path.endsWith(".py"))
    .flatMap((path) => [...read(path).matchAll(/DepthkitError\(\s*"([A-Z_]+)"/g)].map(([, code]) => code));
  expect(raised.length).toBeGreaterThan(20);
  expect(raised.filter((code) => !isErrorCode(code))).toEqual([]);
});

test.each(tracked.filter((path) => path.endsWith(".md")))("%s names only paths that exist", (path) => {
  const links = [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target ?? "");
  for (const link of links) expect(existsSync(join(root, dirname(path), link)), link).toBe(true);
  const named = [
    ...read(path).matchAll(/`((?:src|python|schemas|docs|examples|scripts|bench|tests)\/[\w./-]*)`/g),
  ];
  for (const [, name] of named) {
    if (name?.includes("...")) continue;
    expect(existsSync(join(root, name ?? "")), name).toBe(true);
  }
});

test("nothing that is committed names this machine or a package registry", () => {
  const words = [
    `/${"root"}/`,
    `/${"work"}/`,
    `${"pypi"}.org`,
    `${"registry"}.npmjs`,
    `${"pythonhosted"}.org`,
  ];
  const guilty = tracked.filter(
    (path) => !path.endsWith(".png") && words.some((word) => read(path).includes(word)),
  );
  expect(guilty).toEqual([]);
});

test("each method of the contract has a handler file of the same stem on both sides", () => {
  const stems = (folder: string, suffix: string) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, -suffix.length));
  const wire = JSON.parse(read("schemas/wire.schema.json")) as { "x-methods": Record<string, unknown> };
  for (const method of Object.keys(wire["x-methods"])) {
    const stem = method.split(".")[0];
    expect(stems("src/protocol", ".ts")).toContain(stem);
    expect(stems("python/src/depthkit_worker/handlers", ".py")).toContain(stem);
  }
});
