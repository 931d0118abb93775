import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkOwnInterpreter, findInterpreter } from "../../../src/environment/interpreter.ts";
import { fakePython, shellProgram, temporaryFolder } from "../platform/temporary-folder.ts";

const plain = (...programs: string[]) => programs.map((program) => ({ program, args: [] }));

describe.skipIf(process.platform === "win32")("findInterpreter", () => {
  test("takes the first that will do, past shims, old ones and ones that do not exist", async () => {
    const folder = temporaryFolder();
    const shim = shellProgram(
      join(folder, "shim"),
      "echo 'pyenv: python3.12: command not found' >&2; exit 127",
    );
    const old = fakePython(join(folder, "old"), { version: [3, 10, 13] });
    const good = fakePython(join(folder, "good"), { version: [3, 11, 7] });
    const found = await findInterpreter({ candidates: plain(join(folder, "nope"), shim, old, good) });
    expect(found).toMatchObject({ executable: good, version: [3, 11, 7] });
  });

  test("none at all: lists what was tried and how to install one", async () => {
    const folder = temporaryFolder();
    const shim = shellProgram(join(folder, "shim"), "exit 127");
    const broken = shellProgram(join(folder, "broken"), "echo 'cannot load library' >&2; exit 1");
    const failure = findInterpreter({ candidates: plain(join(folder, "nope"), shim, broken) });
    await expect(failure).rejects.toMatchObject({
      code: "PYTHON_NOT_FOUND",
      message: expect.stringMatching(/nope: not found[\s\S]*shim: not found[\s\S]*cannot load library/),
    });
    await expect(failure).rejects.toThrow(/Install one: /);
  });

  test("too old: says how old each is", async () => {
    const folder = temporaryFolder();
    const candidates = plain(
      fakePython(join(folder, "a"), { version: [3, 8, 18] }),
      fakePython(join(folder, "b"), { version: [3, 10, 13] }),
      shellProgram(join(folder, "two"), "echo 'Unknown option: -I' >&2; exit 2"),
    );
    await expect(findInterpreter({ candidates })).rejects.toMatchObject({
      code: "PYTHON_TOO_OLD",
      message: expect.stringMatching(
        /3\.11 to 3\.14[\s\S]*a: Python 3\.8\.18[\s\S]*b: Python 3\.10\.13[\s\S]*older than/,
      ),
    });
  });

  test.each([
    [{ implementation: "PyPy" }, "PyPy 3.12.1"],
    [{ bits: 32 }, "32-bit"],
    [{ version: [3, 15, 0] }, "newer than 3.14"],
  ])("%j is unsupported", async (answer, reason) => {
    const candidates = plain(fakePython(join(temporaryFolder(), "python"), answer));
    await expect(findInterpreter({ candidates })).rejects.toMatchObject({
      code: "PYTHON_UNSUPPORTED",
      message: expect.stringContaining(reason),
    });
  });

  test.each([
    [{ venv: false }, "no venv module"],
    [{ ensurepip: false }, "no ensurepip module"],
  ])("%j: venv is not available", async (answer, reason) => {
    const candidates = plain(fakePython(join(temporaryFolder(), "python"), answer));
    await expect(findInterpreter({ candidates })).rejects.toMatchObject({
      code: "VENV_UNAVAILABLE",
      message: expect.stringContaining(reason),
    });
  });

  test("an abort ends the search and the program it hangs in", async () => {
    const hanging = shellProgram(join(temporaryFolder(), "python"), "sleep 86400");
    await expect(
      findInterpreter({ candidates: plain(hanging), signal: AbortSignal.timeout(100) }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe.skipIf(process.platform === "win32")("checkOwnInterpreter", () => {
  test("an interpreter of one's own needs no venv", async () => {
    const own = fakePython(join(temporaryFolder(), "python"), { venv: false });
    await expect(checkOwnInterpreter(own)).resolves.toMatchObject({ executable: own });
  });

  test("names the interpreter and what is wrong with it", async () => {
    const folder = temporaryFolder();
    await expect(checkOwnInterpreter("/nope/python")).rejects.toMatchObject({
      code: "PYTHON_NOT_FOUND",
      message: expect.stringContaining("/nope/python"),
    });
    const old = fakePython(join(folder, "old"), { version: [3, 8, 18] });
    await expect(checkOwnInterpreter(old)).rejects.toMatchObject({
      code: "PYTHON_TOO_OLD",
      message: expect.stringMatching(/old is Python 3\.8\.18.*DEPTHKIT_PYTHON/),
    });
  });
});
