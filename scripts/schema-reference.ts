/**
 * The pages of plans, records and the protocol, from the JSON Schemas: `docs/reference/schemas`, which git
 * ignores. Each field is a row: where it stands, what it takes, its words.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./steps.ts";

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
}
interface WireSchema {
  readonly "x-methods": Readonly<Record<string, { params: string; part?: string; result: string }>>;
  readonly $defs: Readonly<Record<string, Schema>>;
}

const read = (name: string) => JSON.parse(readFileSync(join(root, "schemas", `${name}.schema.json`), "utf8"));
const code = (text: string) => `\`${text}\``;
/** Keeps a cell's text in its cell. */
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const choicesOf = (schema: Schema) => schema.anyOf ?? schema.oneOf;

/** What a field takes, in a few words; the fields of objects have rows of their own. */
function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace("#/$defs/", "");
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((value) => code(JSON.stringify(value))).join(" or ");
  const choices = choicesOf(schema);
  if (choices !== undefined) return [...new Set(choices.map(typeOf))].join(" or ");
  if (schema.type === "array")
    return `list of ${schema.items === undefined ? "anything" : typeOf(schema.items)}`;
  if (schema.type === undefined) return "anything";
  return [schema.type].flat().join(" or ") + limitsOf(schema);
}

function limitsOf({ minimum, maximum }: Schema): string {
  // The largest whole number that both sides hold exactly is no limit to tell of.
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (minimum === undefined && most === undefined) return "";
  if (most === undefined) return `, from ${minimum}`;
  return minimum === undefined ? `, to ${most}` : `, ${minimum} to ${most}`;
}

/** Which of several forms an object has, by the field that is fixed in it: `[by=influence]`. */
function formOf({ properties = {} }: Schema, of: readonly Schema[]): string {
  const [name, fixed] = Object.entries(properties).find(([, field]) => field.const !== undefined) ?? [];
  const forms = of.filter((one) => one.properties !== undefined).length;
  return fixed === undefined || forms < 2 ? "" : `[${name}=${fixed.const}]`;
}

/**
 * A row for each field of a schema, deeper ones after the one they are in: `models[].info.depth`, or
 * `rankings[][by=influence].metric` where an object has several forms.
 */
function rowsOf(schema: Schema, path = ""): string[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const at = path === "" ? name : `${path}.${name}`;
    const optional = schema.required?.includes(name) === true ? "" : "?";
    const usual = field.default === undefined ? "" : ` Default: ${code(JSON.stringify(field.default))}.`;
    const words = cell(`${field.description ?? ""}${usual}`.trim());
    return [`| ${code(at + optional)} | ${cell(typeOf(field))} | ${words} |`, ...rowsOf(field, at)];
  });
  const values = typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
  return [
    ...own,
    ...(schema.items === undefined ? [] : rowsOf(schema.items, `${path}[]`)),
    ...(values === undefined ? [] : rowsOf(values, `${path}.<name>`)),
    ...(choicesOf(schema) ?? []).flatMap((choice, _, all) => rowsOf(choice, path + formOf(choice, all))),
  ];
}

/** Forms that nothing fixed tells apart share fields: a row is told once. */
function tableOf(schema: Schema): string {
  const rows = [...new Set(rowsOf(schema))];
  if (rows.length === 0) return choicesOf(schema) || schema.type ? `Takes ${typeOf(schema)}.` : "No fields.";
  return ["| field | takes | what it is |", "| --- | --- | --- |", ...rows].join("\n");
}

const files = [
  { name: "plan", title: "Plan of a study", words: "What `depthkit run` and `runPlan` take." },
  { name: "record", title: "Record of a study", words: "What `runPlan` leaves as `record.json`." },
  { name: "study-cost", title: "Cost of a study", words: "What `depthkit plan --json` and `planStudy` say." },
  { name: "prune-record", title: "Record of a pruning", words: "What `prune` leaves as `record.json`." },
  {
    name: "error",
    title: "Error of a command",
    words: "What a command with `--json` prints where it fails.",
  },
];
const source = (name: string) => `[schemas/${name}.schema.json](../../../schemas/${name}.schema.json)`;

function wirePage({ "x-methods": methods, $defs: definitions }: WireSchema): string {
  const link = (ref: string | undefined) => (ref === undefined ? "" : typeOf({ $ref: ref }));
  const rows = Object.entries(methods).map(
    ([method, { params, part, result }]) =>
      `| ${code(method)} | ${link(params)} | ${link(part)} | ${link(result)} |`,
  );
  const sections = Object.entries(definitions).map(([name, schema]) => {
    const words = schema.description === undefined ? "" : `${schema.description}\n\n`;
    return `## ${name}\n\n${words}${tableOf(schema)}`;
  });
  return `# Messages of the protocol

Each method, with what it takes and answers, from ${source("wire")}; [what crosses the
wire](../../protocol.md) says how they travel.

| method | takes | streams | answers |
| --- | --- | --- | --- |
${rows.join("\n")}

${sections.join("\n\n")}
`;
}

const pages: Record<string, string> = {
  index: `# Schemas

What depthkit reads and writes, field by field.

${files.map(({ name, title, words }) => `- [${title}](${name}.md): ${words}`).join("\n")}
- [Messages of the protocol](wire.md): what client and worker say to each other.
`,
  wire: wirePage(read("wire") as WireSchema),
};
for (const { name, title, words } of files)
  pages[name] = `# ${title}\n\n${words} From ${source(name)}.\n\n${tableOf(read(name) as Schema)}\n`;

const folder = join(root, "docs/reference/schemas");
mkdirSync(folder, { recursive: true });
for (const [name, text] of Object.entries(pages)) writeFileSync(join(folder, `${name}.md`), text);
