/** Questions to the person at the terminal. */
import { createInterface } from "node:readline/promises";
import { CliError } from "../failure.ts";
import type { CliHost } from "../host.ts";

/** One line; the end of stdin is the empty one. */
export async function askLine(host: CliHost, question: string): Promise<string> {
  host.stdout.write(question);
  const lines = createInterface({ input: host.stdin, terminal: false });
  try {
    for await (const line of lines) return line.trim();
    return "";
  } finally {
    lines.close();
  }
}

/** One line that is not shown while it is typed. Needs a terminal. */
export async function askSecret(host: CliHost, question: string): Promise<string> {
  const { stdin, stdout } = host;
  if (!stdin.isTTY || stdin.setRawMode === undefined) throw new CliError("cannot ask for a password without a terminal; use --password-stdin");
  stdout.write(question);
  stdin.setRawMode(true);
  try {
    return await readTyped(host);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stdout.write("\n");
  }
}

/** The terminal is raw: the line is put together here, and the interrupt key is a key. */
async function readTyped({ stdin }: CliHost): Promise<string> {
  let typed = "";
  for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
    for (const key of String(chunk)) {
      if (key === "\r" || key === "\n" || key === "\u0004") return typed;
      if (key === "\u0003") throw new CliError("interrupted");
      typed = key === "\u007f" || key === "\b" ? typed.slice(0, -1) : typed + key;
    }
  }
  return typed;
}

/** Everything of stdin, to its end. */
export async function wholeInput({ stdin }: CliHost): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as string | Buffer));
  return Buffer.concat(chunks).toString("utf8");
}
