import type { Command } from "commander";
import { z } from "zod";
import { DepthkitError, type RepairMethodOptions, type TrainingOptions } from "../index.ts";
import { type gapRepairMethods, repairMethod, trainedMethods, trainingOptions } from "../schemas.ts";
import {
  addSchemaFlags,
  type FlagStyle,
  flagNames,
  propertiesOf,
  schemaOptions,
  wordsOf,
} from "./schema-flags.ts";

export interface RepairFlags {
  method: RepairMethodOptions["method"];
  train?: boolean;
}

type Method = (typeof repairMethod.options)[number];

export const methodNames = repairMethod.options.map(({ shape }) => shape.method.value);

/** Methods that are fitted in closed form, unless a training is asked for. */
export const closedFormNames = methodNames.filter((name) => !trainedMethods.includes(name));

export type ClosedForm = (typeof gapRepairMethods)[number];

/** What any of the methods takes beside a training; each refuses what is not its own. */
const settingsOf = (methods: readonly Method[]) =>
  z.strictObject(
    Object.fromEntries(
      methods.flatMap(({ shape }) =>
        Object.entries(shape as z.core.$ZodLooseShape).filter(
          ([key]) => !["method", "training", "blocks", "experts", "descent"].includes(key),
        ),
      ),
    ),
  );
const settings = settingsOf(repairMethod.options);

const trainingStyles = {
  objective: false,
  // No command makes a corpus that a model wrote.
  writtenOnly: false,
  batchSize: { name: "trainingBatch" },
  folder: { name: "checkpoints" },
} as const;

/** Says whose a flag is and what each of them does with it, since several methods share a command. */
const stylesOf = (methods: readonly Method[]) =>
  Object.fromEntries(
    Object.keys(settingsOf(methods).shape).map((key) => {
      const owners = methods.flatMap((method) => {
        const found = propertiesOf(method).find(([name]) => name === key);
        return found === undefined ? [] : [{ name: method.shape.method.value, words: wordsOf(found[1]) }];
      });
      const alike = new Set(owners.map(({ words }) => words)).size === 1;
      const names = owners.map(({ name }) => name).join(", ");
      const help = alike
        ? `${names}: ${owners[0]?.words}`
        : owners.map(({ name, words }) => `${name}: ${words}`).join("; ");
      return [key, { help }];
    }),
  );

/** Flags of the settings of these methods; `styles` changes what a flag says of itself. */
export function addRepairSettings(
  command: Command,
  names: readonly string[] = methodNames,
  styles: Readonly<Record<string, FlagStyle>> = {},
): Command {
  const methods = repairMethod.options.filter(({ shape }) => names.includes(shape.method.value));
  return addSchemaFlags(command, settingsOf(methods), { ...stylesOf(methods), ...styles });
}

/** The same, and how to train. */
export function addRepairFlags(command: Command): Command {
  addRepairSettings(command).option(
    "--train",
    "train where the method can do without: low-rank, patch, replacement-block; the next flags say how",
  );
  return addSchemaFlags(command, trainingOptions, trainingStyles);
}

/**
 * A method that is not trained, with its settings.
 *
 * @throws DepthkitError INVALID_ARGUMENT for a flag that the method does not have
 */
export function closedFormOf(
  method: ClosedForm,
  flags: object,
): RepairMethodOptions & { method: ClosedForm } {
  return { method, ...ownSettings(methodNamed(method), flags) };
}

/** The flags of settings that were given, whatever method has them. */
export function settingsGiven(flags: object): string[] {
  const names = flagNames(settings);
  return Object.keys(schemaOptions(settings, flags)).map((key) => names.get(key) ?? key);
}

/**
 * The method with its settings.
 *
 * @throws DepthkitError INVALID_ARGUMENT for a flag that the method does not have
 */
export function repairMethodOf(flags: RepairFlags): RepairMethodOptions {
  const { method, train = false } = flags;
  const schema = methodNamed(method);
  const own = ownSettings(schema, flags);
  const training: TrainingOptions = schemaOptions(trainingOptions, flags, trainingStyles);
  const trainingFlags = Object.keys(training).map((key) =>
    flagNames(trainingOptions, trainingStyles).get(key),
  );
  if (!("training" in schema.shape)) {
    const given = [...(train ? ["--train"] : []), ...trainingFlags];
    if (given.length > 0) refuse(`The repair ${method} is not trained; leave out ${given.join(", ")}.`);
    return { method, ...own } as RepairMethodOptions;
  }
  const always = trainedMethods.includes(method);
  if (always && train) refuse(`The repair ${method} is always trained; leave out --train.`);
  if (!always && !train && trainingFlags.length > 0) {
    refuse(
      `${trainingFlags.join(", ")} say how to train, and ${method} is not trained unless you add --train.`,
    );
  }
  // Each value was read by its schema's parser; the call checks the whole again.
  return { method, ...own, ...(always || train ? { training } : {}) } as RepairMethodOptions;
}

function methodNamed(method: RepairMethodOptions["method"]): Method {
  const schema = repairMethod.options.find(({ shape }) => shape.method.value === method);
  if (schema === undefined) throw new DepthkitError("INTERNAL", `There is no repair method ${method}.`);
  return schema;
}

function ownSettings({ shape }: Method, flags: object): Record<string, unknown> {
  const own = schemaOptions(settings, flags);
  const takes = Object.keys(shape).filter((key) => key in settings.shape);
  const names = flagNames(settings);
  for (const key of Object.keys(own)) {
    if (takes.includes(key)) continue;
    const allowed = takes.map((name) => names.get(name)).join(", ") || "none";
    refuse(`${names.get(key)} is no flag of the repair ${shape.method.value}; its flags: ${allowed}.`);
  }
  return own;
}

function refuse(message: string): never {
  throw new DepthkitError("INVALID_ARGUMENT", message);
}
