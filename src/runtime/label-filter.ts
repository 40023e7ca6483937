/** `key`, `key=value` or `key!=value`, as the filters of prune and list take them; all must hold. */
export function matchesLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => matchesLabel(labels, text));
}

function matchesLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [, key = wanted, operator, value] = /^([^=]*?)(!=|=)(.*)$/s.exec(wanted) ?? [];
  const found = Object.hasOwn(labels, key) ? labels[key] : undefined;
  if (operator === undefined) return found !== undefined;
  return operator === "=" ? found === value : found !== value;
}
