import { InvalidArgumentError } from "commander";

type Part = { readonly text: string } | { readonly path: readonly string[]; readonly json: boolean };

/**
 * How rows shall be printed. The forms of `--format`: `table`, `json`, a list of columns (`ID,Names`), and a text with
 * placeholders (`{{.Names}}: {{.Status}}`, `{{json .}}`), which after the word `table` becomes a table with headers.
 * Go's template logic (if, range, pipes, functions) is refused.
 */
export type Format =
  | { readonly kind: "table"; readonly columns?: readonly string[] | undefined }
  | { readonly kind: "json" }
  | { readonly kind: "template"; readonly parts: readonly Part[]; readonly table: boolean };

/** Throws {@link InvalidArgumentError}, naming what is not understood. */
export function parseFormat(text: string): Format {
  const trimmed = text.trim();
  if (trimmed === "json") return { kind: "json" };
  if (trimmed === "table" || trimmed === "") return { kind: "table" };
  if (/^[A-Za-z]\w*(?:,\s*[A-Za-z]\w*)*$/.test(trimmed)) return { kind: "table", columns: trimmed.split(/,\s*/) };
  const table = trimmed.startsWith("table ");
  const body = (table ? trimmed.slice(6) : text).replace(/\\t/g, "\t").replace(/\\n/g, "\n");
  return { kind: "template", parts: parseParts(body), table };
}

function parseParts(text: string): readonly Part[] {
  const parts: Part[] = [];
  let rest = 0;
  for (const match of text.matchAll(/\{\{-?\s*(.*?)\s*-?\}\}/gs)) {
    if (match.index > rest) parts.push({ text: text.slice(rest, match.index) });
    parts.push(parsePlaceholder(match[1] ?? ""));
    rest = match.index + match[0].length;
  }
  if (rest < text.length) parts.push({ text: text.slice(rest) });
  if (!parts.some((part) => "path" in part)) {
    throw new InvalidArgumentError(`${JSON.stringify(text)} is no format; expected json, table, a list of columns or {{.Column}}.`);
  }
  return parts;
}

function parsePlaceholder(inside: string): Part {
  const match = /^(json\s+)?\.((?:\w+(?:\.\w+)*)?)$/.exec(inside);
  if (match === null || (match[2] === "" && !match[1])) {
    throw new InvalidArgumentError(
      `{{${inside}}} is template logic, which berth does not have; only {{.Field}}, {{json .Field}} and {{json .}} are understood. Use --format json and a tool such as jq.`,
    );
  }
  return { path: match[2] ? match[2].split(".") : [], json: match[1] !== undefined };
}

/** One value filled into the parts of a template. Throws for a field the value does not have. */
export function fillTemplate(parts: readonly Part[], value: unknown): string {
  return parts.map((part) => ("text" in part ? part.text : show(lookUp(value, part.path), part.json))).join("");
}

/** The header line of a `table` template: every placeholder replaced by its column's title. */
export function templateHeader(parts: readonly Part[], title: (field: string) => string): string {
  return parts.map((part) => ("text" in part ? part.text : title(part.path.join(".")))).join("");
}

function lookUp(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, key)) {
      const known = typeof current === "object" && current !== null ? `; there are ${Object.keys(current).join(", ")}` : "";
      throw new InvalidArgumentError(`there is no field ${JSON.stringify(key)} in .${path.join(".")}${known}.`);
    }
    current = (current as Readonly<Record<string, unknown>>)[key];
  }
  return current;
}

function show(value: unknown, json: boolean): string {
  if (json || (typeof value === "object" && value !== null)) return JSON.stringify(value) ?? "null";
  return value === undefined || value === null ? "" : String(value);
}
