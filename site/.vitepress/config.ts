/** The site: the Markdown of `docs/`, README.md and CHANGELOG.md as they are, built by `npm run docs`. */
import { slug } from "github-slugger";
import { defineConfig } from "vitepress";
import { excluded, pageOf, root, sidebar, siteLink } from "./pages.ts";

const groups = sidebar();

export default defineConfig({
  title: "depthkit",
  description: "Take Hugging Face LLMs apart along their depth: measure, remove, repair, prove, export.",
  srcDir: root,
  srcExclude: excluded,
  outDir: `${root}/site/dist`,
  cacheDir: `${root}/node_modules/.vitepress`,
  rewrites: pageOf,
  cleanUrls: false,
  markdown: {
    // Anchors as GitHub makes them, where the same files are read.
    anchor: { slugify: (text) => slug(text) },
    config: (markdown) => {
      // Braces are text: no page is a Vue template.
      const render = markdown.render.bind(markdown);
      markdown.render = (source, env) => render(source, env).replaceAll("{{", "&#123;&#123;");
      markdown.core.ruler.push("site-links", ({ tokens, env }) => {
        // The search index has the page's own path as `path`, where the site has the one it goes to.
        for (const link of tokens.flatMap(({ children }) => children ?? [])) {
          const target = link.type === "link_open" ? link.attrGet("href") : null;
          if (target !== null) link.attrSet("href", siteLink(target, env.realPath ?? env.path));
        }
      });
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar: groups,
    nav: groups.map(({ text = "", link, items }) => ({ text, link: link ?? items?.[0]?.link ?? "/" })),
    socialLinks: [{ icon: "github", link: "https://github.com/depthkit/depthkit" }],
  },
});
