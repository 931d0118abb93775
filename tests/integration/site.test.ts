/**
 * The site of the documentation as `npm run docs` builds it, in Chromium. Nothing beyond it can be reached.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithBrowser, keepScreenshot, openBrowser } from "./browser.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const site = join(root, "site/dist");
const screenshots = join(root, ".depthkit/site-screenshots");
const origin = "http://site.test";
const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".json": "application/json",
};

describeWithBrowser("the site", () => {
  let browser: Browser;
  beforeAll(async () => {
    execFileSync(process.execPath, ["--import", "tsx", "scripts/docs.ts"], { cwd: root, stdio: "pipe" });
    mkdirSync(screenshots, { recursive: true });
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  /** A page, and all that it complained of or asked others for. */
  async function open(path: string, width: number, colorScheme: "light" | "dark") {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    await page.route("**/*", async (route) => {
      const { pathname, origin: asked } = new URL(route.request().url());
      const file = join(site, decodeURI(pathname), pathname.endsWith("/") ? "index.html" : "");
      const found = asked === origin && existsSync(file) && statSync(file).isFile();
      if (!found) said.push(`asked for ${route.request().url()}`);
      const contentType = types[extname(file)] ?? "application/octet-stream";
      await (found ? route.fulfill({ body: readFileSync(file), contentType }) : route.abort());
    });
    await page.goto(origin + path, { waitUntil: "networkidle" });
    return { page, said };
  }

  const looks = [
    { path: "/", width: 1280, scheme: "light" },
    { path: "/shapley.html", width: 1280, scheme: "dark" },
    { path: "/shapley.html", width: 390, scheme: "light" },
    { path: "/reference/command-line.html", width: 390, scheme: "dark" },
    { path: "/reference/api/depthkit/interfaces/Model.html", width: 1280, scheme: "light" },
    { path: "/reference/schemas/plan.html", width: 390, scheme: "light" },
  ] as const;

  test.each(looks)(
    "$path, $width wide and $scheme: nothing is too wide, missing or from elsewhere",
    async (look) => {
      const { page, said } = await open(look.path, look.width, look.scheme);
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
      expect(await page.locator("main h1").count()).toBe(1);
      const dark = await page.evaluate("document.documentElement.classList.contains('dark')");
      expect(dark).toBe(look.scheme === "dark");
      const name = look.path.replaceAll("/", "-").replace(".html", "");
      await keepScreenshot(page, join(screenshots, `${look.width}-${look.scheme}${name}.png`));
      expect(said).toEqual([]);
      await page.close();
    },
  );

  test("the search finds what a page says, and leads there", async () => {
    const { page, said } = await open("/", 1280, "light");
    await page.locator("#local-search button").click();
    await page.locator("#localsearch-input").fill("horizon");
    const first = page.locator("#localsearch-list a").first();
    await first.waitFor();
    expect((await first.textContent())?.toLowerCase()).toContain("horizon");
    await keepScreenshot(page, join(screenshots, "search.png"));
    await first.click();
    await page.waitForURL((url) => url.pathname !== "/");
    await hasWords(page, /horizon/i);
    expect(said).toEqual([]);
  });

  test("links of README lead to pages of the site, those to what is no page into the repository", async () => {
    const { page, said } = await open("/", 1280, "light");
    await page.locator('main a[href$="/methods.html"]').first().click();
    await page.waitForURL(/\/methods\.html$/);
    await hasWords(page, /Methods/);
    await page.goto(`${origin}/reference/schemas/plan.html`);
    const schema = page.locator("main a", { hasText: "schemas/plan.schema.json" });
    expect(await schema.getAttribute("href")).toMatch(/^https:.*\/blob\/main\/schemas\/plan\.schema\.json$/);
    expect(said).toEqual([]);
  });
});

/** The address changes before the page does. */
const hasWords = (page: Page, words: RegExp) => page.locator("main", { hasText: words }).first().waitFor();
