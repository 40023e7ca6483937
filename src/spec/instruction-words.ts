/** Words of a Dockerfile instruction: quotes, backslashes and variables, as Docker's builder reads them. */
import { BerthError } from "../errors.ts";

export type Variables = ReadonlyMap<string, string>;

/** Splits at blanks outside of quotes. Variables are put in, quotes and backslashes taken away. Throws `invalid_spec`. */
export function splitWords(text: string, variables: Variables): string[] {
  const words: string[] = [];
  const reader = new WordReader(text, variables);
  for (let word = reader.next(); word !== undefined; word = reader.next()) words.push(word);
  return words;
}

/** All of the text as one word. */
export function expandWord(text: string, variables: Variables): string {
  return new WordReader(text, variables).rest();
}

/** A JSON list of strings, or `undefined` when the text is none: then it means itself. */
export function jsonWords(text: string): string[] | undefined {
  if (!text.trimStart().startsWith("[")) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((word) => typeof word === "string") ? list : undefined;
  } catch {
    return undefined;
  }
}

class WordReader {
  readonly #text: string;
  readonly #variables: Variables;
  #at = 0;

  constructor(text: string, variables: Variables) {
    this.#text = text;
    this.#variables = variables;
  }

  next(): string | undefined {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
    return this.#at >= this.#text.length ? undefined : this.#word((character) => /\s/.test(character));
  }

  rest(): string {
    return this.#word(() => false);
  }

  #word(isEnd: (character: string) => boolean): string {
    let word = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined || isEnd(character)) return word;
      this.#at++;
      if (character === "'") word += this.#until("'");
      else if (character === '"') word += this.#doubleQuoted();
      else if (character === "\\") word += this.#text[this.#at++] ?? "\\";
      else if (character === "$") word += this.#variable();
      else word += character;
    }
  }

  #until(quote: string): string {
    const end = this.#text.indexOf(quote, this.#at);
    if (end < 0) throw malformed(`a ${quote} has no end in ${JSON.stringify(this.#text)}`);
    const inside = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return inside;
  }

  #doubleQuoted(): string {
    let inside = "";
    for (;;) {
      const character = this.#text[this.#at++];
      if (character === undefined) throw malformed(`a " has no end in ${JSON.stringify(this.#text)}`);
      if (character === '"') return inside;
      const next = this.#text[this.#at];
      if (character === "\\" && next !== undefined && /["\\$]/.test(next)) {
        inside += next;
        this.#at++;
      } else if (character === "$") inside += this.#variable();
      else inside += character;
    }
  }

  /** `$name`, `${name}`, `${name:-word}`, `${name:+word}`. */
  #variable(): string {
    const rest = this.#text.slice(this.#at);
    const plain = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest)?.[0];
    if (plain !== undefined) {
      this.#at += plain.length;
      return this.#variables.get(plain) ?? "";
    }
    if (!rest.startsWith("{")) return "$";
    const braced = /^\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^}]*))?\}/.exec(rest);
    if (braced === null) throw malformed(`${JSON.stringify(this.#text)} holds a variable that cannot be read`);
    this.#at += braced[0].length;
    const [, name = "", operator, word = ""] = braced;
    const value = this.#variables.get(name) ?? "";
    if (operator === "-") return value === "" ? word : value;
    if (operator === "+") return value === "" ? "" : word;
    return value;
  }
}

export function malformed(why: string): BerthError {
  return new BerthError("invalid_spec", `cannot read the changes: ${why}`);
}
