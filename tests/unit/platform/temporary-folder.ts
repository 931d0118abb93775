import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "depthkit-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export function writeFile(file: string, text: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** A program that runs these lines of shell. */
export function shellProgram(file: string, lines: string): string {
  writeFile(file, `#!/bin/sh\n${lines}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** A program that answers the probe as an interpreter of this kind would. */
export function fakePython(file: string, answer: Partial<Record<string, unknown>> = {}): string {
  const whole = {
    version: [3, 12, 1],
    executable: file,
    implementation: "CPython",
    bits: 64,
    venv: true,
    ensurepip: true,
    machine: "x86_64",
    libc: "glibc-2.36",
    ...answer,
  };
  return shellProgram(file, `echo '${JSON.stringify(whole)}'`);
}
