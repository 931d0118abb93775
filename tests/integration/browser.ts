/**
 * A Chromium for the tests that look at pages. On Linux (x64) it is the one of the development dependencies,
 * with the libraries and fonts that it needs, so that nothing of the machine is asked for and every machine
 * draws the same; elsewhere it is what DEPTHKIT_CHROMIUM names.
 */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { describe } from "vitest";

const cache = fileURLToPath(new URL("../../.depthkit", import.meta.url));
const packaged = process.platform === "linux" && process.arch === "x64";
const own = process.env["DEPTHKIT_CHROMIUM"];

/** Without a browser these tests skip, and are counted as skipped. */
export const describeWithBrowser = packaged || own !== undefined ? describe : describe.skip;
if (!packaged && own === undefined) {
  console.warn("Skipping tests in a browser: set DEPTHKIT_CHROMIUM to the path of a Chromium.");
}

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--font-render-hinting=none",
];

export async function openBrowser(): Promise<Browser> {
  if (own !== undefined) return chromium.launch({ executablePath: own, args: ARGUMENTS });
  const folder = await unpacked();
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: join(folder, "al2023", "lib"),
    FONTCONFIG_FILE: join(folder, "fonts.conf"),
  };
  return chromium.launch({ executablePath: join(folder, "chromium"), args: ARGUMENTS, env });
}

/** Unpacked once (200 MB, some seconds), under its version; a run that was cut off leaves no half of it. */
async function unpacked(): Promise<string> {
  const bin = join(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))), "..", "bin");
  const manifest = JSON.parse(readFileSync(join(bin, "..", "package.json"), "utf8")) as { version: string };
  const folder = join(cache, `chromium-${manifest.version}`);
  if (existsSync(folder)) return folder;
  const partial = mkdtempSync(`${folder}-partial-`);
  const before = process.env["TMPDIR"];
  // The package unpacks into the folder for temporary files, wherever that is.
  process.env["TMPDIR"] = partial;
  try {
    const { inflate } = await import("@sparticuz/chromium");
    const parts = ["chromium.br", "fonts.tar.br", "al2023.tar.br", "swiftshader.tar.br"];
    await Promise.all(parts.map((part) => inflate(join(bin, part))));
    // Its own list of folders is for a machine that this is not; without one font no text is drawn at all.
    const fonts = `<dir>${join(folder, "fonts")}</dir><cachedir>${join(folder, "font-cache")}</cachedir>`;
    writeFileSync(join(partial, "fonts.conf"), `<?xml version="1.0"?>\n<fontconfig>${fonts}</fontconfig>\n`);
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
  try {
    renameSync(partial, folder);
  } catch (error) {
    // Another run was faster.
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/**
 * A picture of the whole page, for people to look at. Chromium's software compositor now and then has no
 * frame to give on a busy machine, and says so at once; then it is asked again after a while.
 */
export async function keepScreenshot(page: Page, path: string, attempts = 6): Promise<void> {
  try {
    await page.screenshot({ path, fullPage: true });
  } catch (error) {
    if (attempts <= 1 || !String(error).includes("Unable to capture screenshot")) throw error;
    await page.waitForTimeout(1000);
    await keepScreenshot(page, path, attempts - 1);
  }
}
