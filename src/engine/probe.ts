/** One look at a container's health: a command inside it, or a connection to its address. */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { messageOf } from "../errors.ts";
import type { ExecFacet, ObserveFacet } from "../runtime/runtime.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { HealthPlan, HealthProbe } from "../spec/health-plan.ts";
import type { ProbeOutcome } from "./health.ts";

type ProbedRuntime = Pick<ExecFacet, "exec"> & Pick<ObserveFacet, "getContainerIp" | "getContainerPortOverride">;

/** Never rejects but with the reason of `signal`: whatever goes wrong is an outcome. */
export async function probe(runtime: ProbedRuntime, id: ContainerId, plan: HealthPlan, signal: AbortSignal): Promise<ProbeOutcome> {
  const start = new Date();
  const timeout = AbortSignal.timeout(plan.timeoutMs);
  try {
    const { exitCode, output } = await look(runtime, id, plan.probe, AbortSignal.any([signal, timeout]));
    return { start, end: new Date(), exitCode, output };
  } catch (error) {
    signal.throwIfAborted();
    const output = timeout.aborted ? `Health check exceeded timeout (${plan.timeoutMs}ms)` : messageOf(error);
    return { start, end: new Date(), exitCode: timeout.aborted ? -1 : 1, output };
  }
}

type Looked = Pick<ProbeOutcome, "exitCode" | "output">;

async function look(runtime: ProbedRuntime, id: ContainerId, what: HealthProbe, signal: AbortSignal): Promise<Looked> {
  switch (what.type) {
    case "command": {
      // The abort ends the command with everything it started.
      const { exitCode, stdout, stderr } = await runtime.exec(id, what.argv, { signal });
      return { exitCode, output: stdout + stderr };
    }
    case "tcp":
      return await lookByTcp(await hostOf(runtime, id), (await runtime.getContainerPortOverride(id)) ?? what.port, signal);
    case "http":
      return await lookByHttp(await hostOf(runtime, id), new URL(what.url), await runtime.getContainerPortOverride(id), what.expectStatus, signal);
    default:
      return what satisfies never;
  }
}

async function hostOf(runtime: ProbedRuntime, id: ContainerId): Promise<string> {
  const ip = await runtime.getContainerIp(id);
  if (ip === undefined) throw new Error("the container has no address");
  return ip;
}

function lookByTcp(host: string, port: number, signal: AbortSignal): Promise<Looked> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.destroy();
      resolve({ exitCode: 0, output: `port ${port} accepts connections` });
    });
  });
}

/** The address is the container's; the URL says port, path and the name to ask for. */
function lookByHttp(host: string, url: URL, portOverride: number | undefined, expected: number, signal: AbortSignal): Promise<Looked> {
  const isTls = url.protocol === "https:";
  const port = portOverride ?? (Number(url.port) || (isTls ? 443 : 80));
  const options = { host, port, path: `${url.pathname}${url.search}`, headers: { host: url.host }, signal, agent: false as const };
  return new Promise((resolve, reject) => {
    // A certificate for a name cannot fit an address: what is asked here is whether it answers.
    const request = isTls ? httpsRequest({ ...options, servername: url.hostname, rejectUnauthorized: false }) : httpRequest(options);
    request.once("error", reject);
    request.once("response", (response) => {
      response.destroy();
      const { statusCode = 0 } = response;
      resolve({ exitCode: statusCode === expected ? 0 : 1, output: `HTTP ${statusCode}${statusCode === expected ? "" : `, expected ${expected}`}` });
    });
    request.end();
  });
}
