/** A report as a reader sees it, in Chromium: three widths, light and dark, print. Screenshots are kept. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { crowdedDocument } from "../unit/report/crowded-document.ts";
import { sampleDocument } from "../unit/report/sample-document.ts";
import { describeWithBrowser, keepScreenshot, openBrowser } from "./browser.ts";
import {
  displayOf,
  figuresWithoutWords,
  loadedFonts,
  misplacedTexts,
  misplacedTips,
  overflow,
} from "./page-checks.ts";
import { openPage, screenshots, writtenReport } from "./report-page.ts";

describeWithBrowser("a report in a browser", () => {
  let browser: Browser;
  let address: string;
  let crowded: string;
  beforeAll(async () => {
    address = await writtenReport(sampleDocument, screenshots);
    crowded = await writtenReport(crowdedDocument, join(screenshots, "crowded"));
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  const open = (width: number, scheme: "light" | "dark" = "light", at = address) =>
    openPage(browser, at, width, scheme);

  const looks = [1200, 800, 390].flatMap((width) =>
    (["light", "dark"] as const).map((scheme) => [width, scheme] as const),
  );

  test.each(looks)(
    "%i wide and %s: everything is in its place, and nothing is asked for",
    async (width, scheme) => {
      await using opened = await open(width, scheme);
      const { page, said } = opened;
      expect(await page.evaluate(loadedFonts)).toEqual(["DK Sans loaded", "DK Serif loaded"]);
      expect(await page.evaluate(overflow)).toEqual({ page: 0, wide: [] });
      expect(await page.evaluate(misplacedTexts)).toEqual({ enough: true, found: [] });
      expect(await page.evaluate(figuresWithoutWords)).toEqual([]);
      await keepScreenshot(page, join(screenshots, `${width}-${scheme}.png`));
      expect(said).toEqual([]);
    },
  );

  test.each([1200, 800])("%i wide: each tip has room for its words, within its drawing", async (width) => {
    await using opened = await open(width);
    const { count, found } = (await opened.page.evaluate(misplacedTips)) as {
      count: number;
      found: string[];
    };
    expect(count).toBeGreaterThan(100);
    expect(found).toEqual([]);
  });

  test.each([1200, 800, 390])("%i wide: a crowded report keeps its figures apart, too", async (width) => {
    await using opened = await open(width, "light", crowded);
    const { page, said } = opened;
    await keepScreenshot(page, join(screenshots, `crowded-${width}.png`));
    expect(await page.evaluate(overflow)).toEqual({ page: 0, wide: [] });
    expect(await page.evaluate(misplacedTexts)).toEqual({ enough: true, found: [] });
    expect(((await page.evaluate(misplacedTips)) as { found: string[] }).found).toEqual([]);
    expect(said).toEqual([]);
  });

  test("a value shows under the pointer, and a table behind its figure, without a script", async () => {
    const context = await browser.newContext({
      viewport: { width: 1200, height: 900 },
      javaScriptEnabled: false,
    });
    const page = await context.newPage();
    await page.goto(address);
    const strip = page.locator("#f-removal .wide .h").nth(3);
    const tip = strip.locator(".t");
    expect(await tip.isVisible()).toBe(false);
    await strip.scrollIntoViewIfNeeded();
    const box = await strip.locator("rect").first().boundingBox();
    await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) / 2, (box?.y ?? 0) + (box?.height ?? 0) / 2);
    expect(await tip.isVisible()).toBe(true);
    expect(await tip.textContent()).toContain("removed blocks 3, whole model 30.4");
    await keepScreenshot(page, join(screenshots, "tip.png"));
    const table = page.locator("#f-removal .data table");
    expect(await table.isVisible()).toBe(false);
    await page.locator("#f-removal summary").click();
    expect(await table.isVisible()).toBe(true);
    const download = page.waitForEvent("download");
    await page.locator("#f-removal .csv").click();
    expect((await download).suggestedFilename()).toBe("removal.csv");
    await context.close();
  });

  test("on paper it is light, without what paper cannot do, and no wider than a page", async () => {
    await using opened = await open(680, "dark");
    const { page } = opened;
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate(displayOf(".data"))).toBe("none");
    expect(await page.evaluate(displayOf(".wide"))).toBe("block");
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(255, 255, 255)");
    expect(await page.evaluate(overflow)).toEqual({ page: 0, wide: [] });
    expect(await page.evaluate(misplacedTexts)).toEqual({ enough: true, found: [] });
    const pdf = await page.pdf({ path: join(screenshots, "report.pdf"), preferCSSPageSize: true });
    expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
    await keepScreenshot(page, join(screenshots, "print.png"));
  });

  test("each figure's file shows the same drawing by itself, its words within it", async () => {
    const figures = sampleDocument.sections.flatMap((section) => section.figures);
    for (const { id } of figures) {
      const page = await browser.newPage({ viewport: { width: 960, height: 900 } });
      await page.goto(pathToFileURL(join(screenshots, "figures", `${id}.svg`)).href);
      const outside = await page.evaluate(`(() => {
        const frame = document.documentElement.getBoundingClientRect();
        return [...document.querySelectorAll("text")].filter((text) => {
          const box = text.getBoundingClientRect();
          const across = box.left < frame.left || box.right > frame.right;
          return across || box.top < frame.top || box.bottom > frame.bottom;
        }).map((text) => text.textContent);
      })()`);
      expect(outside, id).toEqual([]);
      await page.close();
    }
  });
});
