/** The import walls of docs/architecture.md: who may know whom. */
const layers = {
  errors: [],
  // Helpers on plain arrays and rank statistics: every layer may take them, as it may take errors.
  arrays: ["errors"],
  ranks: ["errors"],
  protocol: ["errors"],
  transport: ["protocol", "errors"],
  platform: ["errors"],
  environment: ["platform", "errors"],
  worker: ["environment", "platform", "errors"],
  doctor: ["environment", "platform", "errors"],
  journal: ["platform", "errors"],
  game: ["journal", "errors"],
  shapley: ["game", "errors"],
  selection: ["game", "shapley", "errors"],
  client: ["protocol", "transport", "worker", "platform", "journal", "game", "selection", "errors"],
  experiment: ["client", "journal", "shapley", "selection", "protocol", "platform", "errors"],
  report: ["experiment", "platform", "errors"],
  cli: ["index"],
};
const singleFiles = new Set(["errors", "arrays", "ranks", "index"]);
const path = (layer) => (singleFiles.has(layer) ? `^src/${layer}\\.ts$` : `^src/${layer}/`);

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, path: "^src/", pathNot: "\\.d\\.ts$" },
      to: {},
    },
    ...Object.entries(layers).map(([layer, allowed]) => ({
      name: `${layer}-imports`,
      comment: `${layer} may import only: ${allowed.join(", ") || "nothing"} (and libraries).`,
      severity: "error",
      from: { path: path(layer) },
      to: {
        path: "^src/",
        pathNot: [layer, "arrays", "ranks", ...allowed].map(path),
      },
    })),
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
  },
};
