/**
 * Small programs for contract cases. Each is an argv a real shell runs; the steps it is made of travel along as its last
 * argument, so that a backend without a kernel can play the same program (`simulate.ts`).
 */

export type Channel = "stdout" | "stderr";

export type Step =
  | { readonly do: "print"; readonly text: string; readonly to: Channel }
  | { readonly do: "bytes"; readonly base64: string; readonly to: Channel }
  | { readonly do: "count"; readonly lines: number; readonly to: Channel }
  | { readonly do: "fill"; readonly bytes: number; readonly to: Channel }
  | { readonly do: "sleep"; readonly ms: number }
  | { readonly do: "forever" }
  | { readonly do: "trapExit"; readonly signal: string; readonly code: number }
  | { readonly do: "trapPrint"; readonly signal: string; readonly text: string }
  | { readonly do: "ignore"; readonly signal: string }
  | { readonly do: "append"; readonly path: string; readonly text: string }
  | { readonly do: "cat"; readonly path: string }
  | { readonly do: "exists"; readonly path: string }
  | { readonly do: "await"; readonly path: string }
  | { readonly do: "env"; readonly name: string }
  | { readonly do: "workdir" }
  | { readonly do: "hostname" }
  | { readonly do: "echoStdin" }
  | { readonly do: "readLine" }
  | { readonly do: "isTerminal" }
  | { readonly do: "windowSize" }
  | { readonly do: "die"; readonly signal: string }
  | { readonly do: "exit"; readonly code: number };

/** `$0` of the shell: tells a program made here from any other. */
export const programMarker = "berth-program";

/** The argv of these steps, one after the other. */
export function program(...steps: readonly Step[]): readonly string[] {
  return ["sh", "-c", steps.map(shellText).join("\n"), programMarker, JSON.stringify(steps)];
}

/** The steps inside an argv; `undefined` when it is none of ours. */
export function stepsOf(argv: readonly string[]): readonly Step[] | undefined {
  return argv[3] === programMarker && argv[4] !== undefined ? (JSON.parse(argv[4]) as readonly Step[]) : undefined;
}

/** One step of a program. */
export const step = {
  print: (text: string, to: Channel = "stdout"): Step => ({ do: "print", text, to }),
  line: (text: string, to: Channel = "stdout"): Step => ({ do: "print", text: `${text}\n`, to }),
  bytes: (bytes: Uint8Array, to: Channel = "stdout"): Step => ({ do: "bytes", base64: Buffer.from(bytes).toString("base64"), to }),
  /** The numbers from 1, one a line. */
  count: (lines: number, to: Channel = "stdout"): Step => ({ do: "count", lines, to }),
  /** So many `x`, without a newline. */
  fill: (bytes: number, to: Channel = "stdout"): Step => ({ do: "fill", bytes, to }),
  sleep: (ms: number): Step => ({ do: "sleep", ms }),
  forever: (): Step => ({ do: "forever" }),
  trapExit: (signal: string, code: number): Step => ({ do: "trapExit", signal, code }),
  trapPrint: (signal: string, text: string): Step => ({ do: "trapPrint", signal, text }),
  ignore: (signal: string): Step => ({ do: "ignore", signal }),
  append: (path: string, text: string): Step => ({ do: "append", path, text }),
  cat: (path: string): Step => ({ do: "cat", path }),
  /** Prints `yes` or `no`. */
  exists: (path: string): Step => ({ do: "exists", path }),
  /** Waits until the file is there. */
  await: (path: string): Step => ({ do: "await", path }),
  /** Prints `NAME=value`, or `NAME is unset`. */
  env: (name: string): Step => ({ do: "env", name }),
  workdir: (): Step => ({ do: "workdir" }),
  hostname: (): Step => ({ do: "hostname" }),
  echoStdin: (): Step => ({ do: "echoStdin" }),
  /** Reads a line and prints `got:<line>`, or `end of input`. */
  readLine: (): Step => ({ do: "readLine" }),
  /** Prints `terminal` or `no terminal`, for stdout. */
  isTerminal: (): Step => ({ do: "isTerminal" }),
  /** Prints rows and columns. */
  windowSize: (): Step => ({ do: "windowSize" }),
  die: (signal: string): Step => ({ do: "die", signal }),
  exit: (code: number): Step => ({ do: "exit", code }),
} as const;

/** Whole programs most cases need. */
export const programs = {
  exitWith: (code: number): readonly string[] => program(step.exit(code)),
  /** Runs until it is killed; on SIGTERM it exits with `onTerm`, or does not care. */
  forever: (o: { readonly onTerm: number | "ignore" } = { onTerm: 0 }): readonly string[] =>
    program(o.onTerm === "ignore" ? step.ignore("TERM") : step.trapExit("TERM", o.onTerm), step.line("ready"), step.forever()),
  print: (lines: readonly string[], to: Channel = "stdout"): readonly string[] => program(step.print(lines.map((line) => `${line}\n`).join(""), to)),
  echoStdin: (): readonly string[] => program(step.echoStdin()),
  touch: (path: string): readonly string[] => program(step.append(path, "")),
  append: (path: string, text: string): readonly string[] => program(step.append(path, text)),
  cat: (path: string): readonly string[] => program(step.cat(path)),
  /** Any shell text; only a real kernel runs it. */
  shell: (script: string): readonly string[] => ["sh", "-c", script],
  missing: (): readonly string[] => ["/no/such/program"],
  notExecutable: (): readonly string[] => ["/demo/not-executable"],
} as const;

function shellText(what: Step): string {
  switch (what.do) {
    case "print":
      return `printf %s ${quote(what.text)}${toChannel(what.to)}`;
    case "bytes":
      return `printf ${quote([...Buffer.from(what.base64, "base64")].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""))}${toChannel(what.to)}`;
    case "count":
      return `seq 1 ${what.lines}${toChannel(what.to)}`;
    case "fill":
      return `head -c ${what.bytes} /dev/zero | tr '\\000' x${toChannel(what.to)}`;
    case "sleep":
      return `sleep ${what.ms / 1000}`;
    case "forever":
      // A trap runs while the shell waits, not while it runs a program in the foreground.
      return "sleep 1000000 & while :; do wait $!; done";
    case "trapExit":
      return `trap 'exit ${what.code}' ${what.signal}`;
    case "trapPrint":
      return `trap 'echo ${what.text}' ${what.signal}`;
    case "ignore":
      return `trap '' ${what.signal}`;
    case "append":
      return `printf %s ${quote(what.text)} >>${quote(what.path)} || exit 1`;
    case "cat":
      return `cat ${quote(what.path)} || exit 1`;
    case "exists":
      return `if [ -e ${quote(what.path)} ]; then echo yes; else echo no; fi`;
    case "await":
      return `until [ -e ${quote(what.path)} ]; do sleep 0.01; done`;
    case "env":
      return `if [ -n "\${${what.name}+set}" ]; then echo "${what.name}=$${what.name}"; else echo '${what.name} is unset'; fi`;
    case "workdir":
      return "pwd";
    case "hostname":
      return "hostname";
    case "echoStdin":
      return "cat";
    case "readLine":
      return 'if read -r line; then echo "got:$line"; else echo "end of input"; fi';
    case "isTerminal":
      return "if [ -t 1 ]; then echo terminal; else echo 'no terminal'; fi";
    case "windowSize":
      // As long as the terminal has no size, busybox's stty prints none and exits with 0.
      return 'until size=$(stty size 2>/dev/null) && [ -n "$size" ]; do sleep 0.01; done; echo "$size"';
    case "die":
      return `kill -${what.signal} $$`;
    case "exit":
      return `exit ${what.code}`;
  }
  return what satisfies never;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function toChannel(to: Channel): string {
  return to === "stderr" ? " >&2" : "";
}
