// Writes one page that shows an AsyncAPI document and needs nothing else: node page.mjs FILE PAGE.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const [file, page] = process.argv.slice(2);
const component = (path) =>
  readFileSync(new URL(`node_modules/@asyncapi/react-component/${path}`, import.meta.url), "utf8");
const schema = JSON.stringify(readFileSync(file, "utf8")).replaceAll("<", "\\u003c");
const program = component("browser/standalone/index.js").replaceAll("</script", "<\\/script");

mkdirSync(dirname(page), { recursive: true });
writeFileSync(
  page,
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>medkg: messages on Kafka</title>
<style>${component("styles/default.min.css")}</style>
</head>
<body>
<div id="page"></div>
<script>${program}</script>
<script>
AsyncApiStandalone.render({ schema: ${schema}, config: { show: { sidebar: true } } }, document.getElementById("page"));
</script>
</body>
</html>
`,
);
console.log(page);
