/** Which files of the repository are pages of the site, and where a link in one of them leads there. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { DefaultTheme } from "vitepress";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const repository = "https://github.com/depthkit/depthkit";

/** Folders that hold no page. */
export const excluded = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "docs")
  .map(({ name }) => `${name}/**`);

/**
 * A page's file in the site by its path in the repository: `docs/` is the site's root, README.md its start.
 */
export function pageOf(path: string): string {
  if (path === "README.md") return "index.md";
  const inSite = path.replace(/^docs\//, "");
  return basename(inSite) === "README.md" ? posix.join(posix.dirname(inSite), "index.md") : inSite;
}

/**
 * Where a link leads in the site: to a page of it, or to the repository for what is none, as sources and
 * examples are. `file`: the absolute path of the page with the link.
 * @throws Error where the link leads nowhere
 */
export function siteLink(link: string, file: string): string {
  if (/^([a-z]+:|#)/.test(link)) return link;
  const [target = "", hash] = link.split("#");
  const absolute = join(dirname(file), decodeURI(target));
  const path = relative(root, absolute).replaceAll("\\", "/");
  const from = relative(root, file);
  if (path.startsWith("../") || !existsSync(absolute)) throw new Error(`${from}: no file for "${link}"`);
  const end = hash === undefined ? "" : `#${hash}`;
  const folder = statSync(absolute).isDirectory();
  const isPage = path.endsWith(".md") && (path.startsWith("docs/") || !path.includes("/"));
  if (isPage) return `/${pageOf(path)}${end}`;
  return `${repository}/${folder ? "tree" : "blob"}/main/${path}${end}`;
}

/**
 * Pages of a folder of `docs/` in the order in which a reader meets them; those not named follow by their
 * titles.
 */
const orders: Readonly<Record<string, readonly string[]>> = {
  "": [
    ...[
      "setup",
      "models",
      "prune",
      "search",
      "shapley",
      "repair",
      "training",
      "evaluation",
      "studies",
      "export",
    ],
    ...["gguf", "onnx", "policies", "routes", "embedding", "remote", "cluster", "python", "reliability"],
    "security",
    ...["architecture", "engine", "scale", "methods", "tasks", "protocol", "errors"],
  ],
  guide: [
    ...["index", "first-steps", "choose", "repair", "prove", "export-and-serve", "studies", "embed"],
    ...["gpu-and-beyond", "from-python-tools"],
  ],
  reference: ["command-line", "api", "schemas"],
  measurements: ["index"],
};

function placeIn(folder: string, name: string): number {
  const order = orders[folder] ?? [];
  return order.includes(name) ? order.indexOf(name) : order.length;
}

/** Pages of `docs/` that are looked up rather than read. */
const reference = ["methods", "tasks", "errors", "protocol"];

export function sidebar(): DefaultTheme.SidebarItem[] {
  const topics = itemsOf("");
  const isReference = ({ link = "" }: DefaultTheme.SidebarItem) => reference.includes(link.slice(1));
  return [
    { text: "Guide", items: itemsOf("guide") },
    { text: "Topics", items: topics.filter((item) => !isReference(item)) },
    { text: "Reference", items: [...itemsOf("reference"), ...topics.filter(isReference)] },
    { text: "Measurements", collapsed: true, items: itemsOf("measurements") },
    { text: "Changelog", link: "/CHANGELOG" },
  ].filter(({ items }) => items === undefined || items.length > 0);
}

/** The pages of a folder of `docs/`, and the folders in it that have a first page, under their titles. */
function itemsOf(folder: string): DefaultTheme.SidebarItem[] {
  const base = join(root, "docs", folder);
  if (!existsSync(base)) return [];
  const named = readdirSync(base, { withFileTypes: true }).flatMap((entry) => {
    const name = entry.name.replace(/\.md$/, "");
    const first = ["index.md", "README.md"].find((file) => existsSync(join(base, entry.name, file)));
    if (entry.isDirectory() && folder !== "" && first !== undefined)
      return [{ name, file: join(base, entry.name, first), link: `/${folder}/${name}/` }];
    if (!entry.name.endsWith(".md")) return [];
    return [
      { name, file: join(base, entry.name), link: `/${posix.join(folder, name).replace(/index$/, "")}` },
    ];
  });
  return named
    .map(({ name, file, link }) => ({ name, text: titleOf(file), link }))
    .sort(
      (one, other) =>
        placeIn(folder, one.name) - placeIn(folder, other.name) || one.text.localeCompare(other.text),
    )
    .map(({ text, link }) => ({ text, link }));
}

function titleOf(file: string): string {
  const title = /^# (.+)$/m.exec(readFileSync(file, "utf8"))?.[1];
  if (title === undefined)
    throw new Error(`${relative(root, file)} has no title: a line that begins with "# ".`);
  // What a title explains after its colon has no room at the side.
  return title.replace(/:.*$/, "").replaceAll("`", "");
}
