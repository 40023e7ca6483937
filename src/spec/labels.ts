/** Label filters: `key` or `key=value`; `!` before it, or `!=` in it, excludes. All of them must hold. */
export function labelTest(filters: readonly string[]): (labels: Readonly<Record<string, string>>) => boolean {
  const tests = filters.map(oneTest);
  return (labels) => tests.every((test) => test(labels));
}

function oneTest(filter: string): (labels: Readonly<Record<string, string>>) => boolean {
  const excludes = filter.startsWith("!") || /^[^=]*!=/.test(filter);
  const [, key = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(filter.replace(/^!/, "").replace(/^([^=]*)!=/, "$1=")) ?? [];
  return (labels) => {
    const found = Object.hasOwn(labels, key) ? labels[key] : undefined;
    const holds = found !== undefined && (value === undefined || found === value);
    return holds !== excludes;
  };
}
