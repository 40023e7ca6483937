const remembered = 10_000;

/**
 * Values of a column that holds JSON. Most of what is read was read before and has not changed since: to compare the text costs
 * a fraction of parsing it. A value is shared by all who ask, and so nobody can change it.
 */
export class ParsedColumn<T> {
  readonly #known = new Map<string, { readonly text: string; readonly value: T }>();

  /** `text` is what the row of that key holds now. */
  parse(key: string, text: string): T {
    const known = this.#known.get(key);
    if (known?.text === text) return known.value;
    const value = JSON.parse(text, (_, part: unknown) => Object.freeze(part)) as T;
    if (this.#known.size >= remembered) this.#known.clear();
    this.#known.set(key, { text, value });
    return value;
  }
}
