/** What models wrote after a prompt, one below another: in the page as a list, in a file drawn. */
import type { Picture } from "./chart.ts";
import { colour, element, escapeText, label, textColour } from "./svg.ts";
import { wrapText } from "./text-width.ts";
import type { TextsFigure, WrittenText } from "./types.ts";

/** Where a line ends in the text; text without it would run on. */
const NEW_LINE = " ¶ ";

export function textsHtml({ prompts }: TextsFigure): string {
  const groups = prompts.map(({ prompt, answers }) => {
    const items = answers.map(({ name, detail, text, tone }) => {
      const style = tone === undefined ? "" : ` style="color:${textColour(tone)}"`;
      const small = !detail ? "" : `<small>${escapeText(detail)}</small>`;
      const written = escapeText(oneLine(text)).replaceAll(NEW_LINE, ' <i class="nl">¶</i> ');
      return [
        `<div><dt${style}>${escapeText(name)}${small}</dt><dd><em>${escapeText(oneLine(prompt))}</em>`,
        `${written}</dd></div>`,
      ].join("");
    });
    return `<div class="text"><h4>“${escapeText(oneLine(prompt))} …”</h4><dl>${items.join("")}</dl></div>`;
  });
  return `<div class="texts">${groups.join("")}</div>`;
}

/** What a reader sees of white space. */
const oneLine = (text: string) => text.replace(/[ \t]*[\r\n]+\s*/g, NEW_LINE);

const NAME = 200;
const LINE = 20;

export function drawTexts({ prompts }: TextsFigure, width = 860): Picture {
  let y = 0;
  const parts: string[] = [];
  for (const { prompt, answers } of prompts) {
    for (const line of wrapText(`“${oneLine(prompt)} …”`, width, 14.5, true)) {
      parts.push(label(line, 0, y + 12, { size: 14.5, bold: true }));
      y += 22;
    }
    for (const answer of answers) {
      y += 6;
      parts.push(element("line", { x1: 0, x2: width, y1: y, y2: y, stroke: colour.rule }));
      y += 8;
      const drawn = drawAnswer(answer, y, width);
      parts.push(drawn.content);
      y += drawn.height;
    }
    y += 26;
  }
  return { width, height: Math.max(20, y - 18), content: parts.join(""), tips: "" };
}

function drawAnswer({ name, detail, text, tone }: WrittenText, y: number, width: number) {
  const names = wrapText(name, NAME - 20, 13, true);
  const details = wrapText(detail ?? "", NAME - 20, 11.5);
  const lines = wrapText(oneLine(text), width - NAME, 14);
  const content = [
    ...names.map((line, index) =>
      label(line, 0, y + 10 + index * LINE, { size: 13, bold: true, fill: textColour(tone ?? "ink") }),
    ),
    ...details.map((line, index) =>
      label(line, 0, y + 10 + (names.length + index) * LINE - 2, { size: 11.5, fill: colour.mute }),
    ),
    ...lines.map((line, index) => label(line, NAME, y + 10 + index * LINE, { size: 14 })),
  ];
  return {
    content: content.join(""),
    height: Math.max(names.length + details.length, lines.length) * LINE + 2,
  };
}
