/** The search of Docker Hub and of registries that copy it: `GET /v1/search?q=&n=`. */
import { BerthError } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";
import { parseJson } from "../spec/image-config.ts";
import type { SchemePolicy } from "./config.ts";
import { NetworkFailure } from "./failure.ts";
import { sendFollowing } from "./redirects.ts";
import { type HttpResponse, readAll, type Transport } from "./transport.ts";
import type { Credentials, RegistrySearchHit } from "./types.ts";

export interface SearchOptions {
  readonly transport: Transport;
  readonly policy: SchemePolicy;
  readonly registry: string;
  readonly term: string;
  /** 0 = the registry's choice. */
  readonly limit: number;
  readonly account: Credentials | undefined;
  readonly signal: AbortSignal;
}

const maxAnswerBytes = 4 * 1024 * 1024;

export async function searchRegistry(o: SearchOptions): Promise<readonly RegistrySearchHit[]> {
  const host = o.registry === "docker.io" ? "index.docker.io" : o.registry;
  try {
    const response = await ask(o, host);
    if (response.status !== 200) {
      response.discard();
      throw refusal(o.registry, response.status);
    }
    return hits(await readAll(response, maxAnswerBytes), o.registry);
  } catch (error) {
    if (o.signal.aborted) throw o.signal.reason;
    if (error instanceof NetworkFailure) throw new BerthError("network", `cannot search ${o.registry}: ${error.message}`, { cause: error.cause });
    throw error;
  }
}

async function ask(o: SearchOptions, host: string): Promise<HttpResponse> {
  const how = o.policy(host);
  const schemes = how === "https" ? ["https"] : how === "loopback" ? ["http", "https"] : ["https", "http"];
  const encoded = Buffer.from(`${o.account?.username}:${o.account?.password}`).toString("base64");
  const headers: Record<string, string> = o.account === undefined || o.account.authType === "token" ? {} : { authorization: `Basic ${encoded}` };
  let failure: unknown;
  for (const scheme of schemes) {
    const url = new URL(`${scheme}://${host}/v1/search`);
    url.searchParams.set("q", o.term);
    if (o.limit > 0) url.searchParams.set("n", String(o.limit));
    try {
      return await sendFollowing(o.transport, { method: "GET", url, headers, signal: o.signal }, o.policy);
    } catch (error) {
      if (!(error instanceof NetworkFailure)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

function refusal(registry: string, status: number): BerthError {
  if (status === 404 || status === 405 || status === 501) return new BerthError("unsupported", `registry ${registry} has no search`);
  return new BerthError("network", `registry ${registry} answered status ${status} to a search`, { status });
}

function hits(bytes: Uint8Array, registry: string): RegistrySearchHit[] {
  let json: unknown;
  try {
    json = parseJson(bytes);
  } catch {
    // Some registry answers every path with its web page.
    throw new BerthError("unsupported", `registry ${registry} has no search`);
  }
  const results = isRecord(json) && Array.isArray(json["results"]) ? json["results"] : undefined;
  if (results === undefined) throw new BerthError("unsupported", `registry ${registry} has no search`);
  return results.filter(isRecord).flatMap((hit) =>
    typeof hit["name"] !== "string"
      ? []
      : [
          {
            name: hit["name"],
            description: typeof hit["description"] === "string" ? hit["description"] : "",
            starCount: typeof hit["star_count"] === "number" ? hit["star_count"] : 0,
            official: hit["is_official"] === true,
            automated: hit["is_automated"] === true,
          },
        ],
  );
}
