/**
 * A model of one container's states, and a check that what many clients were answered fits it: there must be an order of the
 * calls, each at some moment between its begin and its answer, in which the model gives those very answers.
 */

/** Names and limits a container is given, so that an inspection tells them: `o` is the name it was made with, 0 no limit. */
type Name = "o" | "a" | "b";
type Limit = 0 | 100 | 200;
type Change = `rename ${Exclude<Name, "o">}` | `update ${Exclude<Limit, 0>}`;

export type Operation = "create" | "start" | "stop" | "kill" | "remove" | "pause" | "unpause" | "exec" | "commit" | "state" | "inspect" | Change;
export type Answer = "ok" | "not_found" | "conflict" | "invalid_spec" | "pending" | "running" | "exited" | "stopping" | `${string} ${number}`;

interface State {
  readonly status: "absent" | "created" | "running" | "paused" | "exited";
  readonly name: Name;
  readonly limit: Limit;
}

const absent: State = { status: "absent", name: "o", limit: 0 };

/** What the model answers in a state, and the state after. */
function step(state: State, operation: Operation): readonly [Answer, State] {
  const { status } = state;
  if (operation === "create") return status === "absent" ? ["ok", { ...absent, status: "created" }] : ["conflict", state];
  if (status === "absent") return ["not_found", state];
  const runs = status === "running" || status === "paused";
  const to = (next: State["status"]): readonly [Answer, State] => ["ok", { ...state, status: next }];
  const refused: readonly [Answer, State] = ["conflict", state];
  switch (operation) {
    case "start":
      return status === "paused" ? refused : to("running");
    case "stop":
      return to(runs ? "exited" : status);
    case "kill":
      return runs ? to("exited") : refused;
    case "remove":
      return ["ok", absent];
    case "pause":
      return status === "running" ? to("paused") : refused;
    case "unpause":
      return status === "paused" ? to("running") : refused;
    case "exec":
      return status === "running" ? to(status) : refused;
    case "commit":
      return to(status);
    case "rename a":
    case "rename b": {
      const name = operation === "rename a" ? "a" : "b";
      return state.name === name ? ["invalid_spec", state] : ["ok", { ...state, name }];
    }
    case "update 100":
    case "update 200":
      return ["ok", { ...state, limit: operation === "update 100" ? 100 : 200 }];
    case "state":
      return [runs ? "running" : status === "created" ? "pending" : "exited", state];
    case "inspect":
      return [`${state.name} ${state.limit}`, state];
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
  #possible: readonly Possibility[] = [{ state: absent, taken: new Map() }];
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
  if (met.has("remove") && !["create", "stop", "state", "inspect"].includes(operation)) answers.push("conflict");
  // Of two that end one run at once, both did it.
  if (operation === "kill" && endsMeanwhile) answers.push("ok");
  // A process in a container that ends or freezes meanwhile, as for a commit, ends with it, or cannot begin.
  if (operation === "exec" && (endsMeanwhile || met.has("pause") || met.has("commit"))) answers.push("ok", "conflict");
  if (operation === "state" && endsMeanwhile) answers.push("stopping");
  // A removal ends the run first.
  if (operation === "state" && met.has("remove")) answers.push("exited");
  return answers.map((answer) => [answer, state]);
}

function keyOf({ state, taken }: Possibility): string {
  return `${state.status} ${state.name} ${state.limit} ${[...taken].sort(([a], [b]) => a - b).join(" ")}`;
}

function unique(all: readonly Possibility[]): readonly Possibility[] {
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}
