/** The import walls of docs/architecture.md: who may know whom. */
const layers = {
  errors: [],
  // Helpers on plain arrays and rank statistics: every layer may take them, as it may take errors.
  arrays: ["errors"],
  ranks: ["errors"],
  protocol: ["errors"],
  transport: ["protocol", "errors"],
  worker: ["errors"],
  journal: ["errors"],
  game: ["journal", "errors"],
  shapley: ["game", "errors"],
  selection: ["game", "shapley", "errors"],
  client: ["protocol", "transport", "worker", "journal", "game", "selection", "errors"],
  experiment: ["client", "journal", "shapley", "selection", "protocol", "worker", "errors"],
  report: ["experiment", "errors"],
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
    {
      name: "shapley-is-pure",
      comment: "depthkit/shapley is for games of one's own: nothing of the bridge, no native addon.",
      severity: "error",
      from: { path: "^src/shapley/index\\.ts$" },
      to: { path: "(^|/)(zeromq|msgpackr|zod|pythonia|commander)(/|$)", reachable: true },
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
