/** Columns with at least three spaces between them and ten characters each; the last is not padded, as Docker prints tables. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, c) => Math.max(10, ...rows.map((row) => length(row[c] ?? "") + 3)));
  return rows.map((row) => row.map((cell, c) => (c === row.length - 1 ? cell : cell + " ".repeat((widths[c] ?? 0) - length(cell)))).join("")).join("\n");
}

/** Cuts to `width` characters, the last being an ellipsis. */
export function truncate(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
}

function length(text: string): number {
  return [...text].length;
}
