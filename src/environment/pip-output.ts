import type { StepProgress } from "./setup-progress.ts";

/** Files below this come and go too fast to be told of one by one. */
const WORTH_TELLING_BYTES = 10e6;

/**
 * Reads what pip prints with `--progress-bar raw`, line by line. It resolves and downloads, a file at a
 * time, then unpacks everything without a word.
 */
export class PipOutput {
  #file = "a package";
  #collected = 0;

  read(line: string): StepProgress | undefined {
    const download = /^ *Downloading (\S+) \(.+\)$/.exec(line);
    if (download?.[1] !== undefined) {
      this.#file = readableName(download[1]);
      return undefined;
    }
    const bytes = /^Progress (\d+) of (\d+)$/.exec(line);
    if (bytes) {
      const [done, total] = [Number(bytes[1]), Number(bytes[2])];
      if (total < WORTH_TELLING_BYTES) return undefined;
      return { step: "download", message: `Downloading ${this.#file}`, done, total, unit: "bytes" };
    }
    if (/^(Collecting|Processing) /.test(line)) {
      this.#collected++;
      return { step: "download", message: "Downloading packages", done: this.#collected, unit: "packages" };
    }
    const installing = /^Installing collected packages: (.+)$/.exec(line);
    if (installing?.[1] !== undefined) {
      const total = installing[1].split(", ").length;
      return { step: "install", message: "Installing packages", done: 0, total, unit: "packages" };
    }
    return undefined;
  }
}

/** `https://host/a/torch-2.13.0-cp311-...whl` becomes `torch 2.13.0`. */
function readableName(file: string): string {
  const name = decodeURIComponent(file.split("/").at(-1) ?? file);
  const parts = /^(.+?)-([0-9][^-]*?)(?:-.+\.whl|\.tar\.gz|\.zip)$/.exec(name);
  return parts ? `${parts[1]} ${parts[2]}` : name;
}
