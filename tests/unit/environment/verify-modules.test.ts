import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findInterpreter } from "../../../src/environment/interpreter.ts";
import { verifyModules } from "../../../src/environment/verify-modules.ts";
import { temporaryFolder, writeFile } from "../platform/temporary-folder.ts";

const module = (name: string) => ({ module: name, package: name });

/** Verifies, in a real Python, modules made of these sources. */
async function verify(sources: Record<string, string>, names = Object.keys(sources)) {
  const { executable } = await findInterpreter();
  const folder = temporaryFolder();
  for (const [name, source] of Object.entries(sources)) {
    writeFile(join(folder, `${name}.py`), source);
    writeFile(join(folder, `${name}-1.2.dist-info`, "METADATA"), `Name: ${name}\nVersion: 1.2\n`);
  }
  const env = { ...process.env, PYTHONPATH: folder };
  return verifyModules({ python: executable, modules: names.map(module), own: true, env });
}

describe.skipIf(process.platform === "win32")("verifyModules", () => {
  test("gives the versions, past what modules print", async () => {
    const { versions, sitePackages } = await verify({ one: "print('{hello')", two: "print({})" });
    expect(versions).toEqual({ one: "1.2", two: "1.2" });
    expect(sitePackages).toContain("-packages");
  });

  test("names every module that is absent or raises, and the pip command", async () => {
    const failure = verify({ good: "", bad: "raise OSError('libx.so: not found')" }, [
      "good",
      "bad",
      "absent",
    ]);
    await expect(failure).rejects.toMatchObject({
      code: "MODULE_MISSING",
      details: { modules: ["bad", "absent"] },
    });
    await expect(failure).rejects.toThrow(/bad: OSError: libx\.so: not found\n.*absent: ModuleNotFoundError/);
    await expect(failure).rejects.toThrow(/-m pip install "bad" "absent"/);
  });

  test("names the module at whose import Python crashed", async () => {
    const failure = verify({ good: "", crash: "import os; os.kill(os.getpid(), 11)", later: "" });
    await expect(failure).rejects.toThrow(/crash: it ended with SIGSEGV at its import/);
    await expect(failure).rejects.toMatchObject({ details: { modules: ["crash"] } });
  });
});
