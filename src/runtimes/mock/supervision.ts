/** Restarts and health of simulated containers: the same durable facts a real backend keeps. */
import { isBerthError } from "../../errors.ts";
import type { SupervisedContainer, SupervisionFacet } from "../../runtime/extras.ts";
import { restartDelayMs, resumesAtBoot } from "../../runtime/restart-policy.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import { type HealthPlan, healthPlan } from "../../spec/health-plan.ts";
import type { Container } from "./container.ts";
import { startContainer } from "./lifecycle.ts";
import type { World } from "./world.ts";

export function supervisionFacet(world: World): SupervisionFacet {
  return {
    lead: ({ signal }) => lead(world, signal),
    list: async () => [...world.containers.values()].flatMap((container) => supervised(container) ?? []),
    get: async (id) => {
      const container = world.containers.get(containerIdToString(id));
      return container === undefined ? undefined : supervised(container);
    },
    watch: (notify) => watch(world, notify),
    restart: (id, o) => restart(world, id, o?.resume === true),
    recordHealth: async (id, run, health) => {
      const container = world.containers.get(containerIdToString(id));
      if (container === undefined || !container.isRunning || container.starts !== run) return;
      const isNews = container.health?.status !== health.status;
      container.health = health;
      if (isNews) world.journal.recordContainer(container, `health_status: ${health.status}`);
    },
  };
}

async function lead(world: World, signal: AbortSignal): Promise<AsyncDisposable> {
  const led = Promise.withResolvers<void>();
  const before = world.leader;
  world.leader = before.then(() => led.promise);
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
  try {
    await Promise.race([before, aborted.promise]);
    signal.throwIfAborted();
  } catch (error) {
    led.resolve();
    throw error;
  }
  return { [Symbol.asyncDispose]: async () => led.resolve() };
}

function watch(world: World, notify: (ids: readonly ContainerId[]) => void): Disposable {
  let position = world.journal.last;
  return world.journal.listen(() => {
    const after = position;
    position = world.journal.last;
    void world.journal.read(after, Number.POSITIVE_INFINITY).then((events) => {
      const ids = events.flatMap(({ containerId, action }) => (containerId === undefined || action.startsWith("exec_") ? [] : [containerId]));
      if (ids.length > 0) notify(ids);
    });
  });
}

export function planOf(container: Container): HealthPlan | undefined {
  return healthPlan(container.spec.health, container.setup.image.config.config.healthcheck);
}

function supervised(container: Container): SupervisedContainer | undefined {
  const base = { id: container.setup.id, run: container.starts };
  if (container.isRunning) {
    const plan = planOf(container);
    if (plan === undefined || container.health === undefined) return undefined;
    return { ...base, resumesAtBoot: false, health: { plan, startedAt: container.startedAt ?? new Date(0), last: container.health } };
  }
  const resumes = resumesAtBoot(container.spec.restartPolicy, container);
  return container.restartAt === undefined && !resumes ? undefined : { ...base, restartAt: container.restartAt, resumesAtBoot: resumes };
}

/** Decides at the end of a run, or of a start that failed, whether there is a next one. */
export function planRestart(world: World, container: Container, ranMs: number): void {
  const delayMs = restartDelayMs(container.spec.restartPolicy, {
    exitCode: container.exit?.code ?? 0,
    ranMs,
    stoppedByUser: container.stoppedByUser,
    isUnhealthy: container.health?.status === "unhealthy",
    restarts: container.restarts,
    lastDelayMs: container.restartDelayMs,
  });
  container.restartDelayMs = delayMs;
  container.restartAt = delayMs === undefined ? undefined : new Date(world.clock.now().getTime() + delayMs);
}

function restart(world: World, id: ContainerId, resume: boolean): Promise<boolean> {
  const key = containerIdToString(id);
  return world.locks.run(key, async () => {
    const container = world.containers.get(key);
    if (container === undefined || container.isRunning || container.status === "removing") return false;
    if (container.restartAt === undefined && !(resume && container.stoppedByUser)) return false;
    try {
      startContainer(world, container, container.restarts + 1);
      return true;
    } catch (error) {
      if (isBerthError(error, "start_failed")) return false;
      throw error;
    }
  });
}
