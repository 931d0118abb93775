/**
 * Gives the fields of the built declarations the words that their schemas have (`describe`), as JSDoc: an
 * editor shows them on hover, and they are written once. Runs at the end of the build.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { z } from "zod";
import { contract } from "../src/protocol/schema.ts";
import { root } from "./steps.ts";

/** A comment, and where in the text it goes. */
interface Insertion {
  at: number;
  comment: string;
}

/** Folders of `dist` and `src` whose schemas are part of the public types. */
const folders = [
  "protocol",
  "experiment",
  "experiment/prune",
  "experiment/study",
  "experiment/study/cost",
  "doctor",
  "environment",
];

// All modules first: what is not exported is found by its name in the contract.
const modules = new Map<string, Record<string, unknown>>();
for (const folder of folders) {
  for (const name of readdirSync(join(root, "src", folder)).filter((file) => file.endsWith(".ts"))) {
    const file = join(root, "src", folder, name);
    const built = join(root, "dist", folder, name.replace(/\.ts$/, ".d.ts"));
    modules.set(built, (await import(pathToFileURL(file).href)) as Record<string, unknown>);
  }
}
for (const [file, exported] of modules) {
  const text = readOptional(file);
  if (text === undefined) continue;
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Insertion[] = [];
  source.forEachChild((node) => {
    if (!ts.isVariableStatement(node)) return;
    for (const { name, type } of node.declarationList.declarations) {
      if (!ts.isIdentifier(name) || type === undefined) continue;
      const schema = exported[name.text] ?? contract._idmap.get(capitalized(name.text));
      if (schema instanceof z.ZodType) walk(type, schema, source, found);
    }
  });
  writeFileSync(file, inserted(text, found));
}

function walk(node: ts.TypeNode, schema: z.ZodType, source: ts.SourceFile, found: Insertion[]): void {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodUnion) {
    for (const [index, option] of (tupleIn(node)?.elements ?? []).entries()) {
      const one = inner.options[index] as z.ZodType | undefined;
      if (one !== undefined) walk(option, one, source, found);
    }
    return;
  }
  const shape = literalIn(node);
  if (!(inner instanceof z.ZodObject) || shape === undefined) return;
  for (const member of shape.members) {
    if (!ts.isPropertySignature(member) || member.type === undefined) continue;
    const field = inner.shape[member.name.getText(source)] as z.ZodType | undefined;
    if (field === undefined) continue;
    const words = descriptionOf(field);
    const has = ts.getJSDocCommentsAndTags(member).length > 0;
    if (words !== undefined && !has) {
      const indent = " ".repeat(source.getLineAndCharacterOfPosition(member.getStart(source)).character);
      found.push({
        at: member.getStart(source),
        comment: `/** ${words.replaceAll("*/", "* /")} */\n${indent}`,
      });
    }
    walk(member.type, field, source, found);
  }
}

/** Looks through what says how often a value comes, or what it is by default. */
function unwrapped(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodArray) return unwrapped(schema.element as z.ZodType);
  const wraps =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodOptional;
  return wraps ? unwrapped(schema.unwrap() as z.ZodType) : schema;
}

function descriptionOf(schema: z.ZodType): string | undefined {
  return schema.description ?? unwrapped(schema).description;
}

/** The `{ ... }` of `z.ZodObject<{ ... }>`, whatever stands around it. */
function literalIn(node: ts.TypeNode): ts.TypeLiteralNode | undefined {
  if (ts.isTypeLiteralNode(node)) return node;
  const first = firstArgument(node);
  return first === undefined ? undefined : literalIn(first);
}

function firstArgument(node: ts.TypeNode): ts.TypeNode | undefined {
  return ts.isTypeReferenceNode(node) ? node.typeArguments?.[0] : undefined;
}

/** The `[A, B]` of `z.ZodUnion<[A, B]>`, whatever stands around it. */
function tupleIn(node: ts.TypeNode): ts.TupleTypeNode | undefined {
  const inner = ts.isTypeOperatorNode(node) ? node.type : node;
  if (ts.isTupleTypeNode(inner)) return inner;
  const first = firstArgument(inner);
  return first === undefined ? undefined : tupleIn(first);
}

function inserted(text: string, found: readonly Insertion[]): string {
  return [...found]
    .sort((a, b) => b.at - a.at)
    .reduce((rest, { at, comment }) => rest.slice(0, at) + comment + rest.slice(at), text);
}

function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function capitalized(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
