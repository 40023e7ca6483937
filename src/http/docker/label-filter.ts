/** For the prune calls of the runtime, where `!` before a label excludes. */
export function pruneLabels(filters: Readonly<Record<string, readonly string[]>>): readonly string[] {
  return [...(filters["label"] ?? []), ...(filters["label!"] ?? []).map((label) => `!${label}`)];
}
