#!/usr/bin/env node
// The command. In the package it runs what was built; in a clone the sources, so that it never runs an old
// build.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

if (existsSync(fileURLToPath(new URL("../src/cli/main.ts", import.meta.url)))) {
  const { register } = await import("tsx/esm/api").catch(() => {
    console.error("This is a clone whose npm packages are not installed. Run in its folder: npm ci");
    process.exit(3);
  });
  register();
  await import("../src/cli/main.ts");
} else {
  await import("../dist/cli/main.js");
}
