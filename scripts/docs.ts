/** `npm run docs`: the site of the documentation, with its reference pages, into `site/dist`. */
import { join } from "node:path";
import { root, runStep } from "./steps.ts";

const bin = (name: string) => join(root, "node_modules", ".bin", name);
const script = (name: string) => runStep(process.execPath, ["--import", "tsx", `scripts/${name}.ts`]);

runStep(bin("tsdown"), ["--logLevel", "warn"]);
script("document-declarations");
script("api-reference");
script("schema-reference");
runStep(bin("vitepress"), ["build", "site"]);
