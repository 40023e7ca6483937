import type { CommandNode, CommandTree, OptionNode } from "./command-tree.ts";

/** A completion script for bash 4 and newer; it needs no package beside. */
export function bashScript(tree: CommandTree): string {
  const globalValued = valued(tree.options).join("|");
  return `# bash completion for berth. Load it with: source <(berth completion bash)
_berth() {
  local line="\${COMP_LINE:0:COMP_POINT}" word cur="" prev="" command="" skip="" operands=0
  local -a before=() globals=()
  # The line is read anew: bash itself takes "image:tag" apart at the colon.
  read -ra before <<<"$line"
  if [[ $line != *[[:space:]] && \${#before[@]} -gt 0 ]]; then
    cur="\${before[-1]}"
    unset 'before[-1]'
  fi
  [[ \${#before[@]} -gt 0 ]] && prev="\${before[-1]}"
  local valued="|${globalValued}|"
  for word in "\${before[@]:1}"; do
    if [[ -n $skip ]]; then
      skip=""
      [[ -z $command ]] && globals+=("$word")
    elif [[ $word == -* && $operands -eq 0 ]]; then
      [[ -z $command ]] && globals+=("$word")
      [[ $valued == *"|$word|"* ]] && skip=1
    elif [[ -z $command ]]; then
      command="$word"
      valued="|$(_berth_valued "$command")|"
    elif [[ $word != -* ]]; then
      operands=$((operands + 1))
    fi
  done
  COMPREPLY=()
  local words="" names="" files=""
  if [[ -n $skip ]]; then
    words="$(_berth_choices "$command" "$prev")"
    [[ -z $words ]] && files=1
  else
    case "$command" in
      "") if [[ $cur == -* ]]; then words="${flagWords(tree.options)}"; else words="${[...tree.commands.map(({ name }) => name), "help"].join(" ")}"; fi ;;
${tree.commands.map(caseOf).join("\n")}
      help) words="${tree.commands.map(({ name }) => name).join(" ")}" ;;
    esac
  fi
  [[ -n $names ]] && words+=" $("\${COMP_WORDS[0]}" "\${globals[@]}" __complete "$names" 2>/dev/null)"
  local IFS=$' \\t\\n'
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ -n $files ]] && COMPREPLY+=($(compgen -f -- "$cur")) && compopt -o filenames 2>/dev/null
  # What stands in front of the last colon is on the line already.
  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
    COMPREPLY=("\${COMPREPLY[@]#"\${cur%:*}:"}")
  fi
}

_berth_valued() {
  case "$1" in
${tree.commands.map((command) => `    ${command.name}) echo "${valued(command.options).join("|")}" ;;`).join("\n")}
  esac
}

_berth_choices() {
  case "$1 $2" in
${tree.commands.flatMap(choiceCases).join("\n")}
  esac
}

complete -F _berth berth
`;
}

/** Flags behind a dash; else what the command works on. Behind the first operand of run and exec the container's own words begin. */
function caseOf(command: CommandNode): string {
  const passesThrough = command.operands === "image-first" || command.operands === "container-first";
  const condition = passesThrough ? "$cur == -* && $operands -eq 0" : "$cur == -*";
  return `      ${command.name}) if [[ ${condition} ]]; then words="${flagWords(command.options)}"; ${operandBranch(command)}fi ;;`;
}

function operandBranch({ operands, words }: CommandNode): string {
  if (words.length > 0) return `else words="${words.join(" ")}"; `;
  switch (operands) {
    case "none":
      return "";
    case "image-first":
      return "elif [[ $operands -eq 0 ]]; then names=images; else files=1; ";
    case "container-first":
      return "elif [[ $operands -eq 0 ]]; then names=running; else files=1; ";
    default:
      return `else names=${operands}; `;
  }
}

function choiceCases(command: CommandNode): readonly string[] {
  return command.options
    .filter(({ choices }) => choices.length > 0)
    .map(({ flags, choices }) => `    ${flags.map((flag) => `"${command.name} ${flag}"`).join("|")}) echo "${choices.join(" ")}" ;;`);
}

function flagWords(options: readonly OptionNode[]): string {
  return options.flatMap(({ flags }) => flags).join(" ");
}

function valued(options: readonly OptionNode[]): readonly string[] {
  return options.filter(({ takesValue }) => takesValue).flatMap(({ flags }) => flags);
}
