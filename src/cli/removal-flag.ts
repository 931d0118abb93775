import { type Command, InvalidArgumentError } from "commander";
import {
  type CallOptions,
  type Model,
  type RankedFile,
  readRanking,
  type UnitKind,
  type UnitName,
  unitKinds,
} from "../index.ts";
import { parseUnits, wholeNumber } from "./values.ts";

/** What `--remove` asks for: units by name, or a way to choose them once the model is there. */
export type Removal =
  | { by: "name"; units: readonly UnitName[] }
  | { by: "lowest"; kind: UnitKind; count: number }
  | { by: "span"; count: number }
  | { by: "file"; file: string; units: readonly string[]; of: number };

export interface RemovalFlags {
  remove?: Removal;
  calibration?: string[];
  calibrationSequences?: number;
  calibrationLength?: number;
}

const DEFAULT_SEQUENCES = 32;
const DEFAULT_LENGTH = 512;

export function addRemovalFlags(command: Command): Command {
  return command
    .option(
      "--remove <units>",
      "units to remove: 3,7 or block.3, attention.5, feed-forward.2, and inclusive runs 10-12; or lowest:4 " +
        "(or lowest:attention:4), span:4, from:FILE.json or from:FILE.json:4 (docs/search.md)",
      parseRemoval,
    )
    .option(
      "--calibration <files...>",
      "text that lowest: and span: are measured on: .txt, or rows as --data takes them",
    )
    .option("--calibration-sequences <n>", `sequences of it (default: ${DEFAULT_SEQUENCES})`, wholeNumber(1))
    .option("--calibration-length <n>", `tokens per sequence (default: ${DEFAULT_LENGTH})`, wholeNumber(2))
    .hook("preAction", (_, action) => {
      const fault = faultOf(action.opts<RemovalFlags>());
      if (fault !== undefined) action.error(`error: ${fault}`);
    });
}

export function parseRemoval(text: string): Removal {
  const lowest = /^lowest:(?:(block|attention|feed-forward):)?([0-9]+)$/.exec(text);
  if (lowest !== null) {
    const kind = unitKinds.find((name) => name === lowest[1]) ?? "block";
    return { by: "lowest", kind, count: wholeNumber(1)(lowest[2] ?? "") };
  }
  const span = /^span:([0-9]+)$/.exec(text);
  if (span !== null) return { by: "span", count: wholeNumber(1)(span[1] ?? "") };
  if (text.startsWith("from:")) return fromFile(text.slice("from:".length));
  const way = /^(lowest|span):/.exec(text)?.[1];
  if (way !== undefined) {
    throw new InvalidArgumentError(`"${text}" says no number of units; write ${way}:4 for four of them.`);
  }
  return { by: "name", units: parseUnits(text) };
}

/** A number behind the last colon is how many; Windows paths have a colon of their own. */
function fromFile(text: string): Removal {
  const counted = /^(.+):([0-9]+)$/.exec(text);
  const file = counted?.[1] ?? text;
  if (file === "") throw new InvalidArgumentError('"from:" names no file; write from:ranking.json.');
  const { order, scores } = readOrRefuse(file);
  if (counted === null && scores !== null) {
    throw new InvalidArgumentError(
      `${file} ranks ${order.length} units, which does not say how many go; write from:${file}:4 for four.`,
    );
  }
  const count = counted === null ? order.length : wholeNumber(1)(counted[2] ?? "");
  if (count > order.length) {
    throw new InvalidArgumentError(`${file} has ${order.length} units, and ${count} were asked for.`);
  }
  return { by: "file", file, units: order.slice(0, count), of: order.length };
}

function readOrRefuse(file: string): RankedFile {
  try {
    return readRanking(file);
  } catch (error) {
    // Of a flag, before anything is started.
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** What is wrong where text to choose on is missing, or is there for nothing. */
function faultOf({
  remove,
  calibration,
  calibrationSequences,
  calibrationLength,
}: RemovalFlags): string | undefined {
  const chooses = remove?.by === "lowest" || remove?.by === "span";
  if (chooses && calibration === undefined) {
    return (
      `--remove ${remove.by}:${remove.count} is measured on text: give files in --calibration, other than ` +
      "those that are scored on."
    );
  }
  const given = [calibration, calibrationSequences, calibrationLength].some((value) => value !== undefined);
  if (chooses || !given) return undefined;
  return (
    "--calibration, --calibration-sequences and --calibration-length are for --remove lowest:4 and span:4, " +
    "which measure units on text. Leave them out."
  );
}

/** The units that go; what was chosen goes to standard error. */
export async function unitsToRemove(
  model: Model,
  { remove, calibration = [], calibrationSequences, calibrationLength }: RemovalFlags,
  call: CallOptions,
): Promise<readonly string[]> {
  if (remove === undefined) return [];
  if (remove.by === "name") return remove.units;
  if (remove.by === "file") {
    return told(remove.units, `the first ${remove.units.length} of ${remove.of} in ${remove.file}`);
  }
  const sequences = calibrationSequences ?? DEFAULT_SEQUENCES;
  const length = calibrationLength ?? DEFAULT_LENGTH;
  await using corpus = await model.loadCorpus({ files: calibration }, { sequences, length, ...call });
  const text = `on ${calibration.join(", ")}, ${sequences} x ${length} tokens`;
  if (remove.by === "span") {
    const { units, distance } = (await model.influence(corpus, call)).span(remove.count);
    return told(units, `the run of least angle, ${distance.toPrecision(3)} of pi, ${text}`);
  }
  const { kind, count } = remove;
  const influence = await model.influence(corpus, { units: kind, metric: "cosine", ...call });
  return told(influence.lowest(count), `${kind} units of least cosine influence ${text}`);
}

function told(units: readonly string[], why: string): readonly string[] {
  process.stderr.write(`Removing ${units.join(", ")}: ${why}.\n`);
  return units;
}
