/** Puts the table of what each backend can do into docs/backends.md, between its marks. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { backendCapabilities } from "../src/open-runtime.ts";
import { capabilityTable, tableMarks } from "./lib/capability-table.ts";

const file = join(import.meta.dirname, "../docs/backends.md");
const page = readFileSync(file, "utf8");
const [from, to] = [page.indexOf(tableMarks.begin) + tableMarks.begin.length, page.indexOf(tableMarks.end)];
writeFileSync(file, `${page.slice(0, from)}\n${capabilityTable(await backendCapabilities())}\n${page.slice(to)}`);
