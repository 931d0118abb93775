// What `npm run demo` and `npm test` run first, on a clone where nothing is installed yet: so it uses
// Node's own modules only. Installs the npm packages when the lock file changed, then runs the task.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [task, ...rest] = process.argv.slice(2);

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `depthkit needs Node 20.19 or newer; this is ${process.versions.node}. Get one from https://nodejs.org.`,
  );
  process.exit(3);
}

const marker = `${root}node_modules/.depthkit-lock`;
const wanted = createHash("sha256")
  .update(readFileSync(`${root}package-lock.json`))
  .digest("hex");
const installed = existsSync(marker) ? readFileSync(marker, "utf8") : "";
if (installed !== wanted) {
  console.error("Installing the npm packages (once, and when the lock file changes) ...");
  // On Windows npm is a script, which only a shell starts.
  const npm = spawnSync("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (npm.status !== 0) {
    console.error(
      "npm ci failed: see above. Where the registry cannot be reached, check the network and run it again.",
    );
    process.exit(npm.signal === "SIGINT" ? 130 : 3);
  }
  writeFileSync(marker, wanted);
}

// Ctrl-C reaches the task by itself, as a member of the terminal's process group; here it is waited for.
process.on("SIGINT", () => {});
const run = spawnSync(process.execPath, ["--import", "tsx", `scripts/${task}.ts`, ...rest], {
  cwd: root,
  stdio: "inherit",
});
process.exit(run.status ?? (run.signal === "SIGINT" ? 130 : 1));
