import type { PullProgress } from "../../runtime/types.ts";
import { decimalSize } from "../format/size.ts";
import { truncate } from "../format/table.ts";
import type { CliOutput } from "../host.ts";

type Status = Extract<PullProgress, { kind: "status" }>;

/** Takes the events of a pull and shows them; `close` leaves the last picture in place. */
export interface PullRenderer {
  show(event: Status): void;
  close(): void;
}

/** A live block of bars on a terminal, one line per change of state elsewhere. */
export function pullRenderer(output: CliOutput, now: () => number = Date.now): PullRenderer {
  return output.isTTY ? new LiveRenderer(output, now) : new PlainRenderer(output);
}

/** For files and pipes: every layer's states once, no byte counts. */
class PlainRenderer implements PullRenderer {
  readonly #output: CliOutput;
  readonly #last = new Map<string, string>();

  constructor(output: CliOutput) {
    this.#output = output;
  }

  show(event: Status): void {
    if (event.id !== undefined) {
      if (this.#last.get(event.id) === event.status) return;
      this.#last.set(event.id, event.status);
    }
    this.#output.write(event.id === undefined ? `${event.status}\n` : `${event.id}: ${event.status}\n`);
  }

  close(): void {}
}

const frameMs = 50;

/**
 * For terminals: one line per layer, redrawn in place at most twenty times a second. Lines are cut to the width, for a line
 * that wraps would break the counting of lines to go up.
 */
class LiveRenderer implements PullRenderer {
  readonly #output: CliOutput;
  readonly #now: () => number;
  readonly #layers = new Map<string, Status>();
  readonly #rates = new Map<string, Rate>();
  #drawn = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: CliOutput, now: () => number) {
    this.#output = output;
    this.#now = now;
  }

  show(event: Status): void {
    if (event.id === undefined) {
      this.#printAbove(event.status);
      return;
    }
    this.#layers.set(event.id, event);
    this.#measure(event.id, event);
    const wait = this.#drawnAt + frameMs - this.#now();
    if (wait <= 0) this.#draw();
    else this.#timer ??= setTimeout(() => this.#draw(), wait).unref();
  }

  close(): void {
    this.#draw();
    this.#layers.clear();
    this.#drawn = 0;
  }

  #measure(id: string, event: Status): void {
    if (event.status !== "Downloading" || event.current === undefined) return;
    const rate = this.#rates.get(id) ?? { since: this.#now(), from: event.current };
    this.#rates.set(id, rate);
  }

  /** Lines of the image as a whole stay above the block, in the order they came. */
  #printAbove(text: string): void {
    this.#output.write(`${this.#toTop()}${truncate(text, this.#width())}\n`);
    this.#drawn = 0;
    this.#draw();
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drawnAt = this.#now();
    if (this.#layers.size === 0) return;
    const lines = this.#visible().map(([id, event]) => truncate(layerLine(id, event, this.#speed(id, event)), this.#width()));
    this.#output.write(`${this.#toTop()}${lines.map((line) => `${line}\n`).join("")}`);
    this.#drawn = lines.length;
  }

  /** When there are more layers than rows, those still at work are shown first. */
  #visible(): readonly (readonly [string, Status])[] {
    const all = [...this.#layers];
    const rows = Math.max(1, (this.#output.rows ?? 24) - 2);
    if (all.length <= rows) return all;
    return [...all.filter(([, event]) => !isDone(event)), ...all.filter(([, event]) => isDone(event))].slice(0, rows);
  }

  /** Moves to the first line of the block and clears from there to the end of the screen. */
  #toTop(): string {
    return this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r\x1b[J`;
  }

  #width(): number {
    return Math.max(10, (this.#output.columns ?? 80) - 1);
  }

  #speed(id: string, event: Status): string {
    const rate = this.#rates.get(id);
    if (rate === undefined || event.status !== "Downloading" || event.current === undefined) return "";
    const seconds = (this.#now() - rate.since) / 1000;
    return seconds < 0.5 ? "" : `  ${decimalSize((event.current - rate.from) / seconds)}/s`;
  }
}

interface Rate {
  readonly since: number;
  readonly from: number;
}

function isDone(event: Status): boolean {
  return event.status === "Pull complete" || event.status === "Already exists";
}

function layerLine(id: string, event: Status, speed: string): string {
  return `${id}: ${event.status}${event.progress === undefined ? progressBar(event) : ` ${event.progress}`}${speed}`;
}

const barWidth = 30;

/** ` [=====>    ]  12MB/40MB` when both numbers are known. */
export function progressBar(event: Pick<Status, "current" | "total">): string {
  const { current, total } = event;
  if (current === undefined) return "";
  if (total === undefined || total <= 0) return ` ${decimalSize(current)}`;
  const filled = Math.min(barWidth, Math.floor((current / total) * barWidth));
  const bar = filled === barWidth ? "=".repeat(barWidth) : `${"=".repeat(filled)}>`.padEnd(barWidth);
  return ` [${bar}] ${decimalSize(current)}/${decimalSize(total)}`;
}
