import type { Command, Option } from "commander";
import { commands, type Operands } from "../commands.ts";

/** The command line as data, for the writers of completion scripts. */
export interface CommandTree {
  readonly options: readonly OptionNode[];
  readonly commands: readonly CommandNode[];
}

export interface CommandNode {
  readonly name: string;
  readonly summary: string;
  readonly operands: Operands;
  readonly options: readonly OptionNode[];
  /** Words that must follow, such as `bash` and `zsh` after `completion`. */
  readonly words: readonly string[];
}

export interface OptionNode {
  /** `-e` and `--env`. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly repeatable: boolean;
  readonly choices: readonly string[];
}

/** Reads it off commander's own tree, so that completion cannot fall behind. */
export function commandTree(program: Command): CommandTree {
  return {
    options: optionsOf(program),
    commands: commands.flatMap((entry) => {
      const command = program.commands.find((one) => one.name() === entry.name);
      if (command === undefined) return [];
      const words = command.commands.map((one) => one.name()).filter((name) => name !== "help");
      return [{ name: entry.name, summary: entry.summary, operands: entry.operands, options: optionsOf(command), words }];
    }),
  };
}

function optionsOf(command: Command): readonly OptionNode[] {
  const options = command.createHelp().visibleOptions(command);
  return options.map((option: Option) => ({
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    description: option.description,
    takesValue: option.required || option.optional,
    repeatable: option.parseArg !== undefined && option.flags.includes("<") && isList(option),
    choices: option.argChoices ?? [],
  }));
}

/** List options answer an array for their first value. */
function isList(option: Option): boolean {
  try {
    return Array.isArray(option.parseArg?.("x", undefined));
  } catch {
    return false;
  }
}
