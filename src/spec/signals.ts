/** Linux signals by name and number (contract 1.3.1, 1.7 and method 28). */
import { BerthError } from "../errors.ts";

/** Numbers of every Linux architecture we run on; MIPS and SPARC would differ. */
const numbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
};
const rtMin = 34;
const rtMax = 64;

/** The first name of a number wins: 6 is ABRT, 17 is CHLD, 29 is IO. */
const names = new Map<number, string>(
  Object.entries(numbers)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** What `killContainer` takes without `anySignal`. */
const plainSignals: ReadonlySet<string> = new Set(["KILL", "TERM", "INT", "HUP", "USR1", "USR2"]);

/**
 * Number of a signal given by name, `SIG` and case optional. Without `any` only KILL, TERM, INT, HUP, USR1 and USR2;
 * with it every Linux name, the numbers 1 to 64, `RTMIN+n` and `RTMAX-n`. Throws `invalid_spec`.
 */
export function parseSignal(text: string, o: { readonly any?: boolean | undefined } = {}): number {
  const name = text.trim().toUpperCase().replace(/^SIG/, "");
  const number = o.any ? anySignal(name) : plainSignals.has(name) ? numbers[name] : undefined;
  if (number === undefined) {
    const remedy = o.any ? "use a Linux signal name, a number from 1 to 64, RTMIN+n or RTMAX-n" : `use one of ${[...plainSignals].join(", ")}`;
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a signal; ${remedy}`);
  }
  return number;
}

function anySignal(name: string): number | undefined {
  if (/^\d{1,2}$/.test(name)) return inRange(Number(name), 1, rtMax);
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime === null) return Object.hasOwn(numbers, name) ? numbers[name] : undefined;
  const [, base, sign, offset] = realTime;
  if (sign !== undefined && (base === "MIN") !== (sign === "+")) return undefined;
  return inRange(base === "MIN" ? rtMin + Number(offset ?? 0) : rtMax - Number(offset ?? 0), rtMin, rtMax);
}

function inRange(number: number, low: number, high: number): number | undefined {
  return number >= low && number <= high ? number : undefined;
}

/** `SIGTERM`, `SIGRTMIN+3`; `signal_<n>` for numbers without a name. */
export function signalName(number: number): string {
  const name = names.get(number);
  if (name !== undefined) return `SIG${name}`;
  if (number === rtMin) return "SIGRTMIN";
  if (number === rtMax) return "SIGRTMAX";
  return number > rtMin && number < rtMax ? `SIGRTMIN+${number - rtMin}` : `signal_${number}`;
}

/** Signal behind an exit code when nothing but the code is known (contract 1.7): 137 is `SIGKILL`, codes outside 129…192 are none. */
export function signalOfExitCode(code: number): string | undefined {
  if (code < 129 || code > 192) return undefined;
  const number = code - 128;
  const named = number <= 19 && number !== 16;
  return named ? signalName(number) : `signal_${number}`;
}
