/** Reports written to a folder and opened in a browser. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { type ReportDocument, renderReport } from "../../src/report/index.ts";

/** Git does not see it. */
export const screenshots = fileURLToPath(new URL("../../.depthkit/screenshots/report", import.meta.url));

/** The address of its page. */
export async function writtenReport(report: ReportDocument, folder: string): Promise<string> {
  mkdirSync(join(folder, "figures"), { recursive: true });
  for (const [name, bytes] of await renderReport(report)) writeFileSync(join(folder, name), bytes);
  return pathToFileURL(join(folder, "report.html")).href;
}

export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  /** What the console said, and what was asked of the network. */
  readonly said: readonly string[];
}

export async function openPage(
  browser: Browser,
  address: string,
  width: number,
  colorScheme: "light" | "dark" = "light",
): Promise<OpenedPage> {
  const page = await browser.newPage({
    viewport: { width, height: 900 },
    colorScheme,
    javaScriptEnabled: true,
  });
  const said: string[] = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    if (url !== address && !url.startsWith("data:")) said.push(`request: ${url}`);
  });
  await page.goto(address);
  return { page, said, [Symbol.asyncDispose]: () => page.close() };
}
