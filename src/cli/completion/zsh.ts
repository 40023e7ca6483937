import type { CommandNode, CommandTree, OptionNode } from "./command-tree.ts";

/** A completion script for zsh, to be saved as `_berth` in a directory of `$fpath`, or to be sourced. */
export function zshScript(tree: CommandTree): string {
  return `#compdef berth
# zsh completion for berth.

_berth_names() {
  local -a names
  names=(\${(f)"$(\${words_of_berth[1]:-berth} \${globals_of_berth[@]} __complete $1 2>/dev/null)"})
  names=(\${names//:/\\\\:})
  _describe -t $1 $1 names
}

_berth() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a words_of_berth globals_of_berth
  words_of_berth=("\${words[@]}")
  _arguments -C \\
${tree.options.map((option) => `    ${argument(option)} \\`).join("\n")}
    '1:command:->command' \\
    '*::argument:->arguments'
  globals_of_berth=(\${(kv)opt_args[(I)(--root|--run-dir|--runtime|--backend)]})
  case $state in
    command)
      local -a commands
      commands=(
${[...tree.commands.map(({ name, summary }) => `        ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`), "        'help:Show help for a command'"].join("\n")}
      )
      _describe -t commands command commands
      ;;
    arguments)
      case $line[1] in
${tree.commands.map(caseOf).join("\n")}
      esac
      ;;
  esac
}

if [[ $funcstack[1] == _berth ]]; then
  _berth "$@"
else
  compdef _berth berth
fi
`;
}

function caseOf(command: CommandNode): string {
  const lines = [...command.options.map(argument), ...operands(command)];
  return `        ${command.name})\n          _arguments -s -S \\\n${lines.map((line) => `            ${line}`).join(" \\\n")}\n          ;;`;
}

function operands({ operands, words }: CommandNode): readonly string[] {
  if (words.length > 0) return [`'1:word:(${words.join(" ")})'`];
  switch (operands) {
    case "none":
      return [];
    case "image-first":
      return ["'1:image:{_berth_names images}'", "'*::command:_normal'"];
    case "container-first":
      return ["'1:container:{_berth_names running}'", "'*::command:_normal'"];
    default:
      return [`'*:name:{_berth_names ${operands}}'`];
  }
}

/** `'*'{-e,--env}'[set a variable]:value:'` and its simpler forms. */
function argument(option: OptionNode): string {
  const description = option.description.replaceAll(/[[\]\\:]/g, "\\$&");
  const value = option.takesValue ? `:value:${option.choices.length > 0 ? `(${option.choices.join(" ")})` : "_files"}` : "";
  const rest = quoted(`[${description}]${value}`);
  const names = option.flags.length > 1 ? `{${option.flags.join(",")}}` : (option.flags[0] ?? "");
  const exclusion = option.repeatable ? "'*'" : option.flags.length > 1 ? quoted(`(${option.flags.join(" ")})`) : "";
  return `${exclusion}${names}${rest}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
