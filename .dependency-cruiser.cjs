/** The import walls of docs/architecture.md: who may know whom. */
const layers = {
  errors: [],
  protocol: ["errors"],
  transport: ["protocol", "errors"],
  platform: ["errors"],
  environment: ["platform", "errors"],
  worker: ["environment", "platform", "errors"],
  python: ["environment", "platform", "errors"],
  doctor: ["python", "environment", "platform", "errors"],
  journal: ["platform", "errors"],
  game: ["journal", "errors"],
  shapley: ["game", "errors"],
  selection: ["game", "shapley", "errors"],
  client: ["protocol", "transport", "worker", "platform", "journal", "game", "selection", "errors"],
  experiment: ["client", "journal", "shapley", "selection", "protocol", "platform", "errors"],
  report: ["experiment", "platform", "errors"],
  cli: ["index"],
};
const path = (layer) => (layer === "errors" || layer === "index" ? `^src/${layer}\\.ts$` : `^src/${layer}/`);

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
      to: { path: "^src/", pathNot: [path(layer), ...allowed.map(path)] },
    })),
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
  },
};
