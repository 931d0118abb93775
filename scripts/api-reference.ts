/**
 * The pages of the API, from the comments of the public declarations: `docs/reference/api`, which git
 * ignores. It reads the built declarations, since only they have the words of the schemas' fields. With
 * `--check` it reads the sources, writes nothing, and fails where a public name or a method has no words, or
 * a link in them leads nowhere.
 */
import { join } from "node:path";
import { Application, type TypeDocOptions } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";
import { root } from "./steps.ts";
import { keepNames } from "./typedoc-names.ts";

const modules = ["index", "shapley/index", "report/index", "schemas", "python/index"];
const check = process.argv.includes("--check");
const options: TypeDocOptions & PluginOptions = {
  entryPoints: modules.map((name) => join(root, check ? `src/${name}.ts` : `dist/${name}.d.ts`)),
  tsconfig: join(root, check ? "tsconfig.json" : "site/tsconfig.json"),
  // `npm run check` and the build have the compiler for them.
  skipErrorChecking: true,
  plugin: check ? [] : ["typedoc-plugin-zod", "typedoc-plugin-markdown", keepNames],
  validation: { notDocumented: check, notExported: false, invalidLink: true },
  requiredToBeDocumented: ["Function", "Class", "Interface", "TypeAlias", "Variable", "Method", "Accessor"],
  treatWarningsAsErrors: true,
  name: "API",
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  disableSources: true,
  readme: "none",
  out: join(root, "docs/reference/api"),
};
const layout: PluginOptions = {
  hidePageHeader: true,
  useCodeBlocks: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  typeAliasPropertiesFormat: "table",
  typeDeclarationFormat: "table",
  propertyMembersFormat: "table",
};

const app = await Application.bootstrapWithPlugins(check ? options : { ...options, ...layout });
const project = await app.convert();
if (project === undefined) process.exit(1);
// As programs import it.
for (const module of project.children ?? []) if (module.name === "index") module.name = "depthkit";
app.validate(project);
if (!check) await app.generateOutputs(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
