/** Certificates of a test's own, made by openssl: two authorities that do not know each other, and what they signed. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Names under which clients reach the server of the certificate `server`, beside 127.0.0.1. */
export const serverNames = ["engine.example.org", "*.engines.example.org"] as const;

/**
 * Writes `NAME.pem` and `NAME.key` into `directory`: the authorities `ca` and `other`, `server` and `client` of `ca`, and
 * `stranger`, a client of `other`.
 */
export function makeCertificates(directory: string): void {
  writeFileSync(join(directory, "openssl.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n");
  const make = (name: string, extensions: readonly string[], issuer?: string): void => {
    const signer = issuer === undefined ? [] : ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.pem`];
    const facts = ["-days", "2", "-subj", `/CN=${name}`, ...extensions.flatMap((extension) => ["-addext", extension])];
    execFileSync("openssl", ["req", "-config", "openssl.cnf", "-x509", ...key, ...facts, ...signer], { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  };
  for (const authority of ["ca", "other"]) make(authority, ["basicConstraints=critical,CA:TRUE"]);
  const leaf = "basicConstraints=CA:FALSE";
  make("server", [leaf, "extendedKeyUsage=serverAuth", `subjectAltName=IP:127.0.0.1,${serverNames.map((name) => `DNS:${name}`).join(",")}`], "ca");
  make("client", [leaf, "extendedKeyUsage=clientAuth"], "ca");
  make("stranger", [leaf, "extendedKeyUsage=clientAuth"], "other");
}
