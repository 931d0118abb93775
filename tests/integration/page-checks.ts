/** What is asked of a page from within a browser: programs as text, since no type here knows a browser's. */

/** Every drawn text that leaves its drawing or lies on another one; `enough`: there were texts to look at. */
export const misplacedTexts = `(() => {
  const found = [];
  let count = 0;
  for (const svg of document.querySelectorAll("svg.pl")) {
    const frame = svg.getBoundingClientRect();
    if (frame.width === 0) continue;
    const isShown = (text) => !text.closest(".t") && text.textContent.trim() !== "";
    const texts = [...svg.querySelectorAll("text")].filter(isShown);
    const boxes = texts.map((text) => {
      const box = text.getBoundingClientRect();
      // A line of text is higher than its letters are.
      const spare = box.height * 0.14;
      const across = { left: box.left + 0.5, right: box.right - 0.5 };
      return { words: text.textContent, ...across, top: box.top + spare, bottom: box.bottom - spare };
    });
    count += boxes.filter((box) => box.right - box.left > 2).length;
    for (const [index, box] of boxes.entries()) {
      const aside = box.left < frame.left - 2 || box.right > frame.right + 2;
      if (aside || box.top < frame.top - 2 || box.bottom > frame.bottom + 2)
        found.push("outside: " + box.words);
      for (const other of boxes.slice(index + 1))
        if (
          box.left < other.right &&
          other.left < box.right &&
          box.top < other.bottom &&
          other.top < box.bottom
        )
          found.push("on each other: " + box.words + " | " + other.words);
    }
  }
  return { enough: count > 120, found };
})()`;

/** Tips that leave their drawing at a side, or whose words leave their box. Shows all tips. */
export const misplacedTips = `(() => {
  const found = [];
  let count = 0;
  for (const svg of document.querySelectorAll("svg.pl")) {
    const frame = svg.getBoundingClientRect();
    if (frame.width === 0) continue;
    for (const tip of svg.querySelectorAll("g.t, text.t")) {
      tip.style.display = "block";
      count += 1;
      const box = tip.getBoundingClientRect();
      if (box.left < frame.left - 2 || box.right > frame.right + 2) found.push("outside: " + tip.textContent);
      const rect = tip.querySelector("rect")?.getBoundingClientRect();
      for (const text of rect ? tip.querySelectorAll("text") : []) {
        const words = text.getBoundingClientRect();
        if (words.right > rect.right - 2 || words.bottom > rect.bottom + 1)
          found.push("too long: " + text.textContent);
      }
      tip.style.display = "";
    }
  }
  return { count, found };
})()`;

/** Things wider than the window, those that scroll by themselves left out. */
export const overflow = `(() => {
  const wide = [...document.querySelectorAll("body *")].filter(
    (one) => !one.closest(".scroll, svg, nav") && one.getBoundingClientRect().right > innerWidth + 1,
  );
  const page = document.documentElement.scrollWidth - innerWidth;
  return { page, wide: wide.map((one) => one.outerHTML.slice(0, 120)) };
})()`;

/** Figures that tell nothing to those who cannot see them. */
export const figuresWithoutWords = `[...document.querySelectorAll("figure")].filter((figure) => {
  const shown = [...figure.querySelectorAll("svg.pl")].filter((svg) => svg.getBoundingClientRect().width > 0);
  const isNamed = (svg) =>
    svg.getAttribute("role") === "img" && (svg.getAttribute("aria-label") ?? "").length > 10;
  const told = shown.length > 0 ? shown.every(isNamed) : figure.querySelector(".unseen") !== null;
  return !told || document.getElementById(figure.getAttribute("aria-labelledby")) === null;
}).map((figure) => figure.id)`;

/** The families that are there, as loaded. */
export const loadedFonts = `document.fonts.ready.then((fonts) =>
  [...fonts].map(({ family, status }) => family.replaceAll('"', "") + " " + status),
)`;

export const displayOf = (selector: string) =>
  `getComputedStyle(document.querySelector(${JSON.stringify(selector)})).display`;
