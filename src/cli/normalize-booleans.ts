import type { Command, Option } from "commander";

/**
 * Lets switches be written as Docker allows, `--rm=true` and `--sig-proxy=false`: the first becomes `--rm`, the second
 * `--no-sig-proxy` where that exists and else nothing. Operands, and everything behind an option terminator or the image of
 * a command that passes options through, stay as they are.
 */
export function normalizeBooleans(program: Command, args: readonly string[]): readonly string[] {
  const out: string[] = [];
  let command = program;
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? "";
    if (word === "--" || (!word.startsWith("-") && command !== program && passesThrough(command))) return [...out, ...args.slice(i)];
    if (!word.startsWith("-")) {
      command = command === program ? (program.commands.find((one) => one.name() === word) ?? command) : command;
      out.push(word);
      continue;
    }
    const option = findOption(command, word);
    out.push(...rewrite(command, word));
    if (option?.required && takesNext(word, option)) out.push(...args.slice(++i, i + 1));
  }
  return out;
}

function rewrite(command: Command, word: string): readonly string[] {
  const match = /^(--[\w-]+|-\w)=(true|false|1|0)$/i.exec(word);
  const flag = match?.[1] ?? "";
  const option = flag.startsWith("--") ? findOption(command, flag) : command.options.find(({ short }) => short === flag);
  if (option === undefined || option.required || option.optional) return [word];
  if (/^(true|1)$/i.test(match?.[2] ?? "")) return option.negate ? [] : [flag];
  const negated = `--no-${option.long?.replace(/^--(no-)?/, "")}`;
  return option.negate || command.options.some(({ long }) => long === negated) ? [negated] : [];
}

/** The option a word begins; of bundled short flags the last, which alone may take a value. */
function findOption(command: Command, word: string): Option | undefined {
  if (word.startsWith("--")) {
    const [name = ""] = word.split("=", 1);
    return command.options.find(({ long }) => long === name) ?? command.options.find(({ long }) => long === `--no-${name.slice(2)}`);
  }
  for (const letter of word.slice(1)) {
    const option = command.options.find(({ short }) => short === `-${letter}`);
    if (option === undefined || option.required || option.optional) return option;
  }
  return undefined;
}

/** Whether the value is the next word rather than glued to this one. */
function takesNext(word: string, option: Option): boolean {
  return word.startsWith("--") ? !word.includes("=") : word.indexOf(option.short?.slice(1) ?? "") === word.length - 1;
}

function passesThrough(command: Command): boolean {
  return (command as Command & { readonly _passThroughOptions?: boolean })._passThroughOptions === true;
}
