// Validates an AsyncAPI document with AsyncAPI's own parser: node validate.mjs FILE.
// Errors and warnings end it with exit code 1; so does a document that cannot be read. Hints are printed.
import { readFileSync } from "node:fs";
import { DiagnosticSeverity, Parser } from "@asyncapi/parser";

const WORDS = ["error", "warning", "hint", "hint"];
const [file] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
for (const { severity, path, message, range } of diagnostics) {
  console.log(`${file}:${range.start.line + 1}: ${WORDS[severity]}: ${path.join(".")}: ${message}`);
}
if (!document || diagnostics.some(({ severity }) => severity <= DiagnosticSeverity.Warning)) process.exit(1);
const messages = document.allMessages().all().length;
console.log(`${file}: valid AsyncAPI, ${document.allChannels().all().length} channels, ${messages} messages`);
