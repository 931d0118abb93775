/** The import walls of docs/architecture.md: who may know whom. */
const layers = {
  errors: [],
  // Helpers on plain arrays, rank statistics, what callers give, several things at a time: every layer may
  // take them, as it may take errors.
  arrays: ["errors"],
  "at-once": [],
  ranks: ["errors"],
  options: ["errors"],
  progress: [],
  protocol: ["errors"],
  transport: ["protocol", "errors"],
  platform: ["errors"],
  environment: ["platform", "errors"],
  worker: ["environment", "platform", "errors"],
  python: ["environment", "platform", "errors"],
  doctor: ["python", "environment", "platform", "errors"],
  journal: ["platform", "errors"],
  game: ["errors"],
  shapley: ["game", "errors"],
  selection: ["game", "shapley", "errors"],
  routing: ["errors"],
  rpc: ["protocol", "transport", "errors"],
  evaluation: ["rpc", "protocol", "journal", "game", "platform", "errors"],
  model: [
    "evaluation",
    "rpc",
    "protocol",
    "transport",
    "worker",
    "game",
    "selection",
    "routing",
    "platform",
    "errors",
  ],
  experiment: [
    "model",
    "evaluation",
    "rpc",
    "protocol",
    "journal",
    "shapley",
    "selection",
    "platform",
    "errors",
  ],
  report: ["experiment", "platform", "errors"],
  // The entry points, and what is built on them alone.
  calls: ["model", "experiment", "doctor", "environment", "worker", "errors"],
  schemas: ["protocol", "experiment"],
  // Beside them what `depthkit --help` needs, without all that an entry point brings.
  cli: ["index", "schemas", "report", "shapley", "errors", "platform/package-root"],
};
const singleFiles = new Set([
  "errors",
  "calls",
  "arrays",
  "at-once",
  "ranks",
  "options",
  "progress",
  "schemas",
  "index",
]);
const path = (layer) =>
  singleFiles.has(layer) || layer.includes("/") ? `^src/${layer}\\.ts$` : `^src/${layer}/`;

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
        pathNot: [layer, "arrays", "at-once", "ranks", "options", "progress", ...allowed].map(path),
      },
    })),
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
  },
};
