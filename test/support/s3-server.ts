/** A real S3 server that checks signatures, behind a proxy that counts, and can break off. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";

export interface S3Request {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly requests: S3Request[];
  /** From so many requests of parts on every connection is broken. */
  breakAfterParts(parts: number | undefined): void;
  /** Names of the files the server keeps its objects in. */
  files(): string[];
  close(): Promise<void>;
}

export const account = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" } as const;
const bucket = "berth-volumes";
const program = `
  const { default: S3rver } = await import(${JSON.stringify(import.meta.resolve("@20minutes/s3rver"))});
  const [directory, port, name] = process.argv.slice(1);
  await new S3rver({ directory, port: Number(port), address: "127.0.0.1", silent: true, configureBuckets: [{ name }] }).run();
`;

export async function startS3(): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), "berth-s3-"));
  const port = await freePort();
  const args = ["--input-type=module", "-e", program, directory, String(port), bucket];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", process.execPath, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  await answers(child, port);
  const requests: S3Request[] = [];
  let allowedParts = Number.POSITIVE_INFINITY;
  const proxy = createServer((incoming, outgoing) => {
    const { method = "", url = "", headers } = incoming;
    requests.push({ method, url, headers });
    if (allowedParts <= 0 || (/partNumber=/.test(url) && --allowedParts < 0)) return void incoming.destroy();
    const passed = request({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.on("error", () => passed.destroy());
    incoming.pipe(passed);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    bucket,
    requests,
    breakAfterParts: (parts) => {
      allowedParts = parts ?? Number.POSITIVE_INFINITY;
    },
    files: () => readdirSync(join(directory, bucket), { recursive: true, encoding: "utf8" }),
    close: async () => {
      proxy.closeAllConnections();
      proxy.close();
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function answers(child: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error(`s3rver ended with ${child.exitCode}`);
    if (await ping(port)) return;
    await sleep(50);
  }
  throw new Error("s3rver does not answer");
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    request({ host: "127.0.0.1", port, path: "/", agent: false }, (answer) => resolve(answer.resume() !== undefined))
      .once("error", () => resolve(false))
      .end();
  });
}
