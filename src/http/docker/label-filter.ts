/** Label filters: `key` or `key=value`, all must hold; `label!` of prune: none may. */

export function matchesLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => matchesLabel(labels, text));
}

function matchesLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const split = text.indexOf("=");
  if (split < 0) return Object.hasOwn(labels, text);
  return Object.hasOwn(labels, text.slice(0, split)) && labels[text.slice(0, split)] === text.slice(split + 1);
}

/** For the prune calls of the runtime, where `!` before a label excludes. */
export function pruneLabels(filters: Readonly<Record<string, readonly string[]>>): readonly string[] {
  return [...(filters["label"] ?? []), ...(filters["label!"] ?? []).map((label) => `!${label}`)];
}
