/** `key`, `key=value` or `key!=value`, as the filters of prune and list take them, and their opposite with `!` before it; all must hold. */
export function matchesLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => matchesLabel(labels, text));
}

function matchesLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  if (wanted.startsWith("!")) return !matchesLabel(labels, wanted.slice(1));
  const [, key = wanted, operator, value] = /^([^=]*?)(!=|=)(.*)$/s.exec(wanted) ?? [];
  const found = Object.hasOwn(labels, key) ? labels[key] : undefined;
  if (operator === undefined) return found !== undefined;
  return operator === "=" ? found === value : found !== value;
}
