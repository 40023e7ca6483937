/** Label conditions of the prune calls: `key`, `key=value`; `key!=value` and `!key` exclude. */

export interface LabelConditions {
  /** What an engine's `label` filter takes. */
  readonly label: readonly string[];
  /** What its `label!` filter takes. */
  readonly notLabel: readonly string[];
  /** Whether a thing with these labels is left out. */
  readonly exclude: (labels: Readonly<Record<string, string | null | undefined>>) => boolean;
}

export function pruneFilters(conditions: readonly string[]): LabelConditions {
  const label: string[] = [];
  const notLabel: string[] = [];
  for (const condition of conditions) {
    const unequal = /^([^=!]+)!=(.*)$/s.exec(condition);
    if (condition.startsWith("!")) notLabel.push(condition.slice(1));
    else if (unequal !== null) notLabel.push(`${unequal[1]}=${unequal[2]}`);
    else label.push(condition);
  }
  return { label, notLabel, exclude: (labels) => notLabel.some((condition) => matches(labels, condition)) };
}

function matches(labels: Readonly<Record<string, string | null | undefined>>, condition: string): boolean {
  const [key = "", ...rest] = condition.split("=");
  const value = labels[key];
  return typeof value === "string" && (rest.length === 0 || value === rest.join("="));
}
