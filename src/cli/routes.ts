import { type Command, InvalidArgumentError } from "commander";
import type { Routes, Subnetwork, TextData } from "../index.ts";
import { formatNumber, renderTable } from "../report/index.ts";
import { corpusOptions, promptOptions } from "../schemas.ts";
import { checkJournal, runCommand } from "./command.ts";
import { addModelFlags, type ModelFlags } from "./data-flags.ts";
import { noteLines } from "./notes.ts";
import { withWorker } from "./remote.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { addSetFlags, type SetFlags } from "./set-flags.ts";
import { loadModel } from "./subject.ts";
import { growing, wholeNumber } from "./values.ts";

interface Flags extends ModelFlags, SetFlags {
  texts: Readonly<Record<string, readonly string[]>>;
  textField?: string;
  strict?: boolean;
  fit: number;
  choose?: readonly number[];
  train: number;
  report: number;
  draw: number;
  evaluations?: number;
  seed: number;
  journal?: string;
  save?: string;
}

/** Of the parts' corpora; how many sequences each has is said by the parts' own flags. */
const textStyles = {
  sequences: false,
  skip: false,
  numbers: false,
  packing: false,
  separator: { escaped: true },
} as const;
const promptStyles = { tokens: { name: "promptTokens" } } as const;

export function registerRoutes(command: Command): void {
  addModelFlags(command)
    .requiredOption(
      "--texts <name=files...>",
      "a domain's name and its files, as --data has them, with commas between them",
      parseText,
    )
    .option("--text-field <name>", "the field of a JSON line that holds its text (default: text)")
    .option("--strict", "refuse lines without text instead of counting and skipping them");
  addSchemaFlags(command, corpusOptions, textStyles);
  addSchemaFlags(command, promptOptions, promptStyles);
  addOwnFlags(command);
  command.action(async (flags: Flags) => {
    await runCommand(flags, ({ signal, progress }) =>
      withWorker(signal, async (kit) => {
        const call = { signal, onProgress: progress.update };
        await checkJournal(kit, flags.journal, signal);
        // Without repairs, which have no flag here, routes are saved on this machine.
        if (flags.save !== undefined && kit.connection.remote === undefined) {
          await kit.checkTarget(flags.save, { kind: "repair", signal });
        }
        const model = await loadModel(kit, flags, call);
        const { fit, choose = [16], train, report, draw, textField, strict } = flags;
        const corpus = schemaOptions(corpusOptions, flags, textStyles);
        const texts = Object.entries(flags.texts).map(([name, files]): [string, TextData] => [
          name,
          { files, textField, strict },
        ]);
        const { budget, recipe, strategy, units, candidates, protect, evaluations, seed, journal } = flags;
        await using routes = await model.routes({
          texts: Object.fromEntries(texts),
          split: { ...corpus, fit, choose, train, report, draw },
          prompt: schemaOptions(promptOptions, flags, promptStyles),
          players: units,
          ...{ budget, recipe, strategy, candidates, protect, evaluations, seed, journal },
          ...call,
        });
        if (flags.save !== undefined) await routes.save(flags.save, call);
        return { json: { model: model.info, routes: documentOf(routes) }, text: describe(routes) };
      }),
    );
  });
}

/** Reads `code=a.txt,b.txt`, one domain after the other. */
function parseText(
  text: string,
  before: Readonly<Record<string, readonly string[]>> = {},
): Record<string, readonly string[]> {
  const at = text.indexOf("=");
  const name = text.slice(0, at);
  const files = text
    .slice(at + 1)
    .split(",")
    .filter((file) => file !== "");
  if (at < 1 || files.length === 0) {
    throw new InvalidArgumentError(`"${text}" is no domain; write its name and files: code=a.txt,b.txt.`);
  }
  if (Object.hasOwn(before, name)) {
    throw new InvalidArgumentError(`"${name}" stands there twice; put commas between its files.`);
  }
  return { ...before, [name]: files };
}

function addOwnFlags(command: Command): void {
  addSetFlags(command, "what each mask removes")
    .option("--fit <n>", "sequences of each domain to measure influence on", wholeNumber(0), 32)
    .option(
      "--choose <n...>",
      "sequences that decide a mask; several numbers: text that grows (default: 16)",
      growing,
    )
    .option("--train <n>", "sequences of each domain that the router learns on", wholeNumber(2), 64)
    .option("--report <n>", "sequences of each domain that say what routing is worth", wholeNumber(2), 64)
    .option("--draw <n>", "which draw of the texts, the first being 0", wholeNumber(0), 0)
    .option("--evaluations <n>", "sets to evaluate at most, a domain", wholeNumber(1))
    .option("--seed <n>", "of strategies that draw", wholeNumber(0), 0)
    .option("--journal <folder>", "keep every evaluated set here; an interrupted search goes on from it")
    .option("--save <folder>", "save masks and router, for `model.loadRoutes`");
}

function documentOf(routes: Routes<Subnetwork>) {
  const { masks, permanent, single, prompt, router, heldOut, report, notes } = routes;
  const listed = masks.map(({ name, removed }) => ({ name, removed }));
  return { masks: listed, permanent, single, prompt, strength: router.strength, heldOut, report, notes };
}

function describe(routes: Routes<Subnetwork>): string {
  const { masks, permanent, single, prompt, report, notes } = routes;
  const { domains, matrix, whole, routed, worth } = report;
  const columns = [...masks.map(({ name }) => `without ${name}'s`), "whole", "routed to"];
  const rows = domains.map((domain, at) => [
    domain,
    ...[...(matrix[at] ?? []), whole[at]].map((loss) => formatNumber(loss?.mean ?? Number.NaN)),
    masks.map(({ name }, mask) => `${name} ${routed[at]?.[mask] ?? 0}`).join(", "),
  ]);
  const ways = [
    [`one mask (${single}'s)`, worth.single],
    ["router", worth.router],
    ["by domain", worth.byDomain],
    ["oracle", worth.oracle],
  ] as const;
  return [
    ...masks.map(({ name, removed }) => `${name}: remove ${removed.join(", ")}`),
    `Kept by every mask: ${permanent.length === 0 ? "nothing" : permanent.join(", ")}`,
    "",
    `Loss behind the first ${prompt.tokens} tokens, of ${report.sequences} unseen sequences each:`,
    renderTable([{ title: "text" }, ...columns.map((title) => ({ title, align: "right" as const }))], rows),
    "",
    renderTable(
      [
        { title: "way" },
        { title: "loss", align: "right" },
        { title: "gain", align: "right" },
        { title: "standard error", align: "right" },
      ],
      ways.flatMap(([name, way]) =>
        way === null
          ? []
          : [[name, formatNumber(way.value), formatNumber(way.gain), formatNumber(way.gainStandardError)]],
      ),
    ),
    "",
    worth.sentence,
    ...noteLines(notes),
  ].join("\n");
}
