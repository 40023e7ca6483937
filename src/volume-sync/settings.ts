import { BerthError } from "../errors.ts";

/** Where volumes are kept (contract 4.4), from `BERTH_S3_*`. */
export interface SyncSettings {
  readonly bucket: string;
  readonly region: string;
  /** Absent = Amazon's of the region. */
  readonly endpoint?: string | undefined;
  /** The bucket stands in the path, not in the host name. */
  readonly pathStyle: boolean;
  /** Absent = the chain of the environment: AWS variables, shared files, instance roles. */
  readonly account?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string | undefined } | undefined;
  /** In front of every object's name. */
  readonly prefix: string;
  /** Bytes of each part of a large upload. */
  readonly partBytes: number;
}

const defaultPrefix = "layers/";
const partBytes = 64 * 1024 * 1024;

type Environment = Readonly<Record<string, string | undefined>>;

/** `undefined` without a bucket. Throws `configuration` for settings that cannot be meant. */
export function syncSettings(env: Environment): SyncSettings | undefined {
  const value = (name: string): string | undefined => env[`BERTH_S3_${name}`]?.trim() || undefined;
  const bucket = value("BUCKET");
  if (bucket === undefined) return undefined;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw bad(`BERTH_S3_BUCKET: ${JSON.stringify(bucket)} is no name of a bucket`);
  const endpoint = value("ENDPOINT");
  if (endpoint !== undefined) checkEndpoint(endpoint);
  const [accessKeyId, secretAccessKey] = [value("ACCESS_KEY_ID"), value("SECRET_ACCESS_KEY")];
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw bad("BERTH_S3_ACCESS_KEY_ID and BERTH_S3_SECRET_ACCESS_KEY go together; set both or neither");
  }
  return {
    bucket,
    region: value("REGION") ?? env["AWS_REGION"] ?? "us-east-1",
    endpoint,
    pathStyle: isTrue(value("PATH_STYLE"), endpoint !== undefined),
    account: accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey, sessionToken: value("SESSION_TOKEN") },
    prefix: value("PREFIX") ?? defaultPrefix,
    partBytes,
  };
}

function checkEndpoint(text: string): void {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw bad("BERTH_S3_ENDPOINT is no http(s) URL");
  if (url.username !== "" || url.password !== "")
    throw bad("BERTH_S3_ENDPOINT: put the keys into BERTH_S3_ACCESS_KEY_ID and BERTH_S3_SECRET_ACCESS_KEY, not into the URL");
}

function isTrue(text: string | undefined, otherwise: boolean): boolean {
  if (text === undefined) return otherwise;
  if (!/^(true|false|1|0)$/i.test(text)) throw bad(`BERTH_S3_PATH_STYLE: ${JSON.stringify(text)} is neither true nor false`);
  return /^(true|1)$/i.test(text);
}

function bad(message: string): BerthError {
  return new BerthError("configuration", message);
}
