/**
 * The colours of the page, one by its role in light and in dark. Text reaches a contrast of 4.5 in both;
 * blue, orange and green stay apart for the common kinds of colour blindness, and no figure tells things
 * apart by colour alone.
 */
export type Theme = "light" | "dark";

export const themes = {
  light: {
    bg: "#fcfbf8",
    ink: "#1b2025",
    mute: "#5b646d",
    rule: "#e4e0d8",
    blue: "#1f64b0",
    orange: "#c2500a",
    green: "#007a5c",
    violet: "#7d2cc0",
    grey: "#8b939a",
    on: "#ffffff",
  },
  dark: {
    bg: "#14171a",
    ink: "#eae6df",
    mute: "#a0a8b0",
    rule: "#2d3338",
    blue: "#78b4f4",
    orange: "#f2975c",
    green: "#4cc9a3",
    violet: "#b98aff",
    grey: "#8b949c",
    on: "#14171a",
  },
} as const satisfies Record<Theme, Record<string, string>>;

/** As CSS variables. */
export function variablesOf(theme: Theme): string {
  return Object.entries(themes[theme])
    .map(([name, value]) => `--${name}:${value}`)
    .join(";");
}

/** A drawing with the colours of one theme in place of variables, which few readers of SVG know. */
export function resolveTheme(svg: string, theme: Theme): string {
  return svg.replace(/var\(--([a-z]+)\)/g, (whole, name: string) => {
    const colours: Readonly<Record<string, string>> = themes[theme];
    return colours[name] ?? whole;
  });
}
