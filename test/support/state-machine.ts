/**
 * A model of one container's states, and a check that what many clients were answered fits it: there must be an order of the
 * calls, each at some moment between its begin and its answer, in which the model gives those very answers.
 */

export type Operation = "create" | "start" | "stop" | "kill" | "remove" | "pause" | "unpause" | "state" | "exec";
export type Answer = "ok" | "not_found" | "conflict" | "pending" | "running" | "exited" | "stopping";

type State = "absent" | "created" | "running" | "paused" | "exited";

/** What the model answers in a state, and the state after. */
function step(state: State, operation: Operation): readonly [Answer, State] {
  if (operation === "create") return state === "absent" ? ["ok", "created"] : ["conflict", state];
  if (state === "absent") return ["not_found", state];
  const runs = state === "running" || state === "paused";
  switch (operation) {
    case "start":
      return state === "paused" ? ["conflict", state] : ["ok", "running"];
    case "stop":
      return ["ok", runs ? "exited" : state];
    case "kill":
      return runs ? ["ok", "exited"] : ["conflict", state];
    case "remove":
      return ["ok", "absent"];
    case "pause":
      return state === "running" ? ["ok", "paused"] : ["conflict", state];
    case "unpause":
      return state === "paused" ? ["ok", "running"] : ["conflict", state];
    case "exec":
      return state === "running" ? ["ok", state] : ["conflict", state];
    case "state":
      return [runs ? "running" : state === "created" ? "pending" : "exited", state];
    default:
      return operation satisfies never;
  }
}

const enders: readonly Operation[] = ["stop", "kill", "remove"];

interface Call {
  readonly operation: Operation;
  /** Calls it overlapped with so far. */
  readonly met: Set<Operation>;
}

/** A way things may stand: the state, and what calls that took effect were answered without having told yet. */
interface Possibility {
  readonly state: State;
  readonly taken: ReadonlyMap<number, Answer>;
}

export class ContainerModel {
  #possible: readonly Possibility[] = [{ state: "absent", taken: new Map() }];
  readonly #calls = new Map<number, Call>();
  readonly #history: string[] = [];
  #last = 0;

  /** Answers a token for {@link end}. */
  begin(operation: Operation): number {
    const token = ++this.#last;
    const met = new Set<Operation>();
    for (const other of this.#calls.values()) {
      met.add(other.operation);
      other.met.add(operation);
    }
    this.#calls.set(token, { operation, met });
    this.#history.push(`${token} ${operation} …`);
    return token;
  }

  /** Throws when no order of the calls explains this answer. */
  end(token: number, answer: Answer): void {
    const call = this.#calls.get(token);
    if (call === undefined) throw new Error(`call ${token} is not under way`);
    this.#history.push(`${token} ${call.operation} → ${answer}`);
    const fitting = this.#closure().filter(({ taken }) => taken.get(token) === answer);
    if (fitting.length === 0) throw new Error(`no order of the calls explains it:\n${this.#history.slice(-60).join("\n")}`);
    this.#calls.delete(token);
    this.#possible = unique(fitting.map(({ state, taken }) => ({ state, taken: new Map([...taken].filter(([key]) => key !== token)) })));
  }

  /** Everything that may have happened by now: any of the calls under way took effect, in any order. */
  #closure(): readonly Possibility[] {
    const seen = new Map(this.#possible.map((one) => [keyOf(one), one]));
    const open = [...this.#possible];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      for (const [token, call] of this.#calls) {
        if (one.taken.has(token)) continue;
        for (const [answer, state] of [step(one.state, call.operation), ...concessions(one.state, call)]) {
          const next = { state, taken: new Map([...one.taken, [token, answer]]) };
          if (seen.has(keyOf(next))) continue;
          seen.set(keyOf(next), next);
          open.push(next);
        }
      }
    }
    return [...seen.values()];
  }
}

/** What may differ from the model where calls overlap, because nobody promises more. None of it changes anything. */
function concessions(state: State, { operation, met }: Call): readonly (readonly [Answer, State])[] {
  const endsMeanwhile = enders.some((ender) => met.has(ender));
  const answers: Answer[] = [];
  // What is being removed can be refused instead of waited for.
  if (met.has("remove") && !["create", "stop", "state"].includes(operation)) answers.push("conflict");
  // Of two that end one run at once, both did it.
  if (operation === "kill" && endsMeanwhile) answers.push("ok");
  // A process in a container that ends or freezes meanwhile ends with it, or cannot begin.
  if (operation === "exec" && (endsMeanwhile || met.has("pause"))) answers.push("ok", "conflict");
  if (operation === "state" && endsMeanwhile) answers.push("stopping");
  // A removal ends the run first.
  if (operation === "state" && met.has("remove")) answers.push("exited");
  return answers.map((answer) => [answer, state]);
}

function keyOf({ state, taken }: Possibility): string {
  return `${state} ${[...taken].sort(([a], [b]) => a - b).join(" ")}`;
}

function unique(all: readonly Possibility[]): readonly Possibility[] {
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}
