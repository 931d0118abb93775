/**
 * Writes what is derived from the zod schemas: the wire contract as JSON Schema, its digest, the Python
 * Structs, the golden messages, and the schemas of a run's record and of the command line's errors. With
 * `--check` it writes nothing and fails where a file differs.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { pruneRecordSchema } from "../src/experiment/prune/record.ts";
import { studyCostSchema } from "../src/experiment/study/cost/schema.ts";
import { planSchema } from "../src/experiment/study/plan.ts";
import { recordSchema } from "../src/experiment/study/record.ts";
import { errorDocument } from "../src/protocol/error-document.ts";
import { methods } from "../src/protocol/methods.ts";
import { contract } from "../src/protocol/schema.ts";
import { emitPython, type JsonSchema } from "./emit-python.ts";
import { writeGenerated } from "./generated-files.ts";
import { goldenMessagesJson } from "./golden-messages.ts";

/** Names the options whose fields a call's params take over: their type in Python is one of its kind. */
function baseOf(id: string): JsonSchema {
  const schema = contract._idmap.get(id);
  const base = schema === undefined ? undefined : contract.get(schema)?.base;
  return base === undefined ? {} : { "x-base": `#/$defs/${base}` };
}

function wireSchema(): JsonSchema {
  const { schemas } = z.toJSONSchema(contract, {
    target: "draft-2020-12",
    // What crosses the wire is the parsed form: every field is there.
    io: "output",
    uri: (id) => `#/$defs/${id}`,
    unrepresentable: "throw",
  });
  const definitions = Object.entries(schemas as Record<string, JsonSchema>)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, { $schema: _schema, $id: _id, ...rest }]) => [id, { ...baseOf(id), ...rest }]);
  const nameOf = (schema: z.ZodType) => `#/$defs/${contract.get(schema)?.id}`;
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "depthkit wire contract",
    "x-methods": Object.fromEntries(
      Object.entries(methods).map(([method, schemas]) => [
        method,
        {
          params: nameOf(schemas.params),
          ...("part" in schemas ? { part: nameOf(schemas.part) } : {}),
          result: nameOf(schemas.result),
        },
      ]),
    ),
    $defs: Object.fromEntries(definitions),
  };
}

/** Of a file as it is written, or as a person may write it (`input`): what has a default may be left out. */
function fileSchema(form: z.ZodType, io: "input" | "output" = "output"): string {
  const options = { target: "draft-2020-12", io, unrepresentable: "throw" } as const;
  return `${JSON.stringify(z.toJSONSchema(form, options), null, 2)}\n`;
}

const schema = wireSchema();
const schemaText = `${JSON.stringify(schema, null, 2)}\n`;
const digest = createHash("sha256").update(schemaText).digest("hex");
writeGenerated({
  "schemas/wire.schema.json": schemaText,
  "schemas/plan.schema.json": fileSchema(planSchema, "input"),
  "schemas/record.schema.json": fileSchema(recordSchema),
  "schemas/study-cost.schema.json": fileSchema(studyCostSchema),
  "schemas/prune-record.schema.json": fileSchema(pruneRecordSchema),
  "schemas/error.schema.json": fileSchema(errorDocument),
  "schemas/golden-messages.json": goldenMessagesJson(),
  "src/protocol/generated.ts": `// Written by \`npm run generate\`; do not edit.\n/** sha256 of \`schemas/wire.schema.json\`: both sides must have the same. */\nexport const contractDigest = "${digest}";\n`,
  "python/src/depthkit_worker/contract/wire.py": emitPython(schema, digest),
});
