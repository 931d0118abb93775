import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { execa } from "execa";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { setup } from "../../src/environment/setup.ts";
import { openPython, type Python, type PythonObject } from "../../src/python/open-python.ts";
import { hasText, isAlive, pidIn, until } from "../unit/platform/processes.ts";
import { fakePython, shellProgram, temporaryFolder } from "../unit/platform/temporary-folder.ts";

beforeAll(async () => {
  await setup();
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const failure = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable("it should have been rejected"),
    (error: unknown) => error,
  );

describe("what a script does with it", () => {
  test("modules, members, calls, keyword arguments and expressions", async () => {
    await using py = await openPython();
    interface Numpy {
      array(rows: number[][]): Promise<PythonObject>;
      mean$(rows: PythonObject, keywords: { axis: number }): Promise<PythonObject>;
      float32: { __name__: PromiseLike<string> };
    }
    const np = await py<Numpy>("numpy");
    const rows = await np.array([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(await py.value(rows["sum"]?.())).toBe(21);
    expect(await np.float32.__name__).toBe("float32");
    expect(await py.value(np.mean$(rows, { axis: 0 }))).toEqual([2.5, 3.5, 4.5]);
    expect(await py.value(py`${rows}[:, ${1}].tolist()`)).toEqual([2, 5]);
    // Inside of what nests in an expression too.
    expect(await py.value(py`[${rows}[i].max() for i in range(len(${rows}))]`)).toEqual([3, 6]);
    expect(await py.value(py`[${null}, ${true}, ${"é\n"}, ${{ a: [1.5] }}]`)).toEqual([
      null,
      true,
      "é\n",
      { a: [1.5] },
    ]);
    expect(await py`(lambda twice: twice(21))(${(x: number) => 2 * x})`).toBe(42);
    const seen: unknown[] = [];
    for await (const row of rows) seen.push(await py.value(row));
    expect(seen).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  test("an exception of Python's comes with its type, message and traceback", async () => {
    await using py = await openPython();
    const error = await failure(py`(lambda: {}["absent"])()`);
    expect(error).toMatchObject({
      code: "PYTHON_RAISED",
      message: expect.stringContaining("KeyError: 'absent'"),
      details: { python: { type: "KeyError", traceback: expect.stringContaining("<lambda>") } },
    });
    expect(await failure(py("no_such_module"))).toMatchObject({
      details: { python: { type: "ModuleNotFoundError" } },
    });
    // It goes on.
    expect(await py`1 + 1`).toBe(2);
  });

  test("an exception inside an iterator is no end of it, and NaN is no number of JSON", async () => {
    await using py = await openPython();
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const x of await py`(6 // (2 - i) for i in range(4))`) seen.push(x);
    })();
    expect(await failure(reading)).toMatchObject({ details: { python: { type: "ZeroDivisionError" } } });
    expect(seen).toEqual([3, 6]);
    expect(await failure(py.value(py`[float("nan")]`))).toMatchObject({ code: "PYTHON_RAISED" });
    expect(await failure(py`float("inf")`)).toMatchObject({ code: "PYTHON_RAISED" });
  });

  test("two at once know nothing of each other", async () => {
    await using one = await openPython();
    await using two = await openPython();
    expect(one.pid).not.toBe(two.pid);
    const mark = (py: Python, value: number) => py`setattr(__import__("sys"), "mark", ${value})`;
    await Promise.all([mark(one, 1), mark(two, 2)]);
    expect(await Promise.all([one, two].map((py) => py`__import__("sys").mark`))).toEqual([1, 2]);
    await one.close();
    expect(await two`__import__("sys").mark`).toBe(2);
  });
});

/** Longer than any test takes: what ends it is what is tested. `npm run bench -- endings` times the ends. */
const busy = (py: Python) => py`__import__("time").sleep(86400)`;

describe("its end comes", () => {
  test.each([
    ["os._exit", "exit code 3", (py: Python) => py`__import__("os")._exit(3)`],
    ["sys.exit", "exit code 4", (py: Python) => py`__import__("sys").exit(4)`],
    [
      "SIGKILL",
      "SIGKILL",
      (py: Python) => {
        const call = busy(py);
        process.kill(py.pid, "SIGKILL");
        return call;
      },
    ],
  ])("where Python ends by %s", async (_, how, call) => {
    const py = await openPython();
    const error = await failure(call(py));
    expect(error).toMatchObject({ code: "PYTHON_DIED", message: expect.stringContaining(how) });
    expect(isAlive(py.pid)).toBe(false);
    expect(await failure(py`1`)).toBe(error);
    await py.close();
  });

  test("at close, whatever Python is doing, with what it started", async () => {
    const py = await openPython();
    const child = Number(await py`__import__("subprocess").Popen(["sleep", "86400"]).pid`);
    const calling = failure(busy(py));
    await py.close();
    expect(await calling).toMatchObject({ code: "CLOSED" });
    expect(isAlive(py.pid)).toBe(false);
    await until(() => !isAlive(child));
    expect(await failure(py`1`)).toMatchObject({ code: "CLOSED" });
    await py.close();
  });

  test("at the end of a block that throws; what Python does at its exit is done", async () => {
    const file = join(temporaryFolder(), "left");
    let pid = 0;
    const block = async () => {
      await using py = await openPython();
      pid = py.pid;
      await py`__import__("atexit").register(lambda: open(${file}, "w").write("done"))`;
      throw new Error("a fault of the script");
    };
    const error = await failure(block());
    expect(error).toMatchObject({ message: "a fault of the script" });
    expect(isAlive(pid)).toBe(false);
    expect(hasText(file)).toBe(true);
  });

  test("at an abort", async () => {
    const controller = new AbortController();
    const py = await openPython({ signal: controller.signal });
    const calling = failure(busy(py));
    controller.abort();
    expect(await calling).toMatchObject({ code: "CANCELLED" });
    await until(() => !isAlive(py.pid));
    expect(await failure(openPython({ signal: controller.signal }))).toMatchObject({ code: "CANCELLED" });
  });

  test.each(["SIGINT", "SIGKILL", "a throw", "process.exit"])("at %s in the script", async (how) => {
    const file = join(temporaryFolder(), "pid");
    const source = pathToFileURL(join(import.meta.dirname, "../../src/python/open-python.ts")).href;
    const program = `const { openPython } = await import(${JSON.stringify(source)});
const py = await openPython();
await py\`print("printed")\`;
py\`__import__("time").sleep(86400)\`.catch(() => {});
(await import("node:fs")).writeFileSync(${JSON.stringify(file)}, String(py.pid));
${{ "a throw": "throw new Error('a fault')", "process.exit": "process.exit(0)" }[how] ?? "await new Promise(() => {})"}`;
    const node = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program]);
    let [stdout, stderr] = ["", ""];
    node.stdout.on("data", (text) => {
      stdout += text;
    });
    node.stderr.on("data", (text) => {
      stderr += text;
    });
    // Not "exit": what was printed may still be in the pipes by then.
    const closed = once(node, "close");
    await until(() => hasText(file));
    if (how.startsWith("SIG")) node.kill(how as NodeJS.Signals);
    await closed;
    await until(() => !isAlive(pidIn(file)));
    // Standard output is the script's own.
    expect([stdout, stderr]).toEqual(["", expect.stringContaining("printed")]);
  });
});

describe("where it cannot be opened, the error says what to do", () => {
  test("without an environment", async () => {
    vi.stubEnv("DEPTHKIT_HOME", temporaryFolder());
    vi.stubEnv("DEPTHKIT_PYTHON", "");
    expect(await failure(openPython())).toMatchObject({
      code: "ENVIRONMENT_MISSING",
      message: expect.stringContaining("npx depthkit setup"),
    });
  });

  test("with an interpreter that does not exist", async () => {
    expect(await failure(openPython({ python: "/nope/python" }))).toMatchObject({
      code: "PYTHON_NOT_FOUND",
      message: expect.stringContaining("DEPTHKIT_PYTHON"),
    });
  });

  test.skipIf(process.platform === "win32")("with one that is too old, or is none", async () => {
    const folder = temporaryFolder();
    const old = fakePython(join(folder, "old"), { version: [3, 8, 18] });
    expect(await failure(openPython({ python: old, verbose: false }))).toMatchObject({
      code: "PYTHON_TOO_OLD",
    });
    const none = shellProgram(join(folder, "none"), "echo no Python; exit 5");
    expect(await failure(openPython({ python: none, verbose: false }))).toMatchObject({
      code: "PYTHON_NOT_FOUND",
    });
  });
});

test("the example of docs/python.md prints what it says", async () => {
  const root = join(import.meta.dirname, "../..");
  const [, code = ""] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "docs/python.md"), "utf8")) ?? [];
  const file = join(root, ".depthkit", "python-example.ts");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, code);
  const { stdout } = await execa(process.execPath, ["--import", "tsx", file], { cwd: root });
  expect(stdout.replace(/\s+/g, "")).toBe("[1.5,2.5,3.5][3,12][0,1,2][3,4,5]");
});
