import assert from "node:assert/strict";
import { test } from "node:test";
import { syncSettings } from "./settings.ts";

test("without a bucket there is no store", () => assert.equal(syncSettings({ BERTH_S3_REGION: "eu-west-1" }), undefined));

test("a bucket alone is Amazon's, with the keys of the environment", () => {
  const settings = syncSettings({ BERTH_S3_BUCKET: "volumes" });
  assert.deepEqual(
    { ...settings },
    { bucket: "volumes", region: "us-east-1", endpoint: undefined, pathStyle: false, account: undefined, prefix: "layers/", partBytes: 67_108_864 },
  );
});

test("everything can be set", () => {
  const settings = syncSettings({
    BERTH_S3_BUCKET: "volumes",
    BERTH_S3_REGION: "eu-west-1",
    BERTH_S3_ENDPOINT: "https://s3.example",
    BERTH_S3_PATH_STYLE: "false",
    BERTH_S3_ACCESS_KEY_ID: "id",
    BERTH_S3_SECRET_ACCESS_KEY: "secret",
    BERTH_S3_SESSION_TOKEN: "token",
    BERTH_S3_PREFIX: "berth/",
  });
  assert.equal(settings?.pathStyle, false);
  assert.equal(settings?.prefix, "berth/");
  assert.deepEqual(settings?.account, { accessKeyId: "id", secretAccessKey: "secret", sessionToken: "token" });
});

test("what cannot be meant is refused without telling a secret", () => {
  for (const env of [
    { BERTH_S3_BUCKET: "Not A Bucket" },
    { BERTH_S3_BUCKET: "volumes", BERTH_S3_ACCESS_KEY_ID: "id" },
    { BERTH_S3_BUCKET: "volumes", BERTH_S3_ENDPOINT: "ftp://x" },
    { BERTH_S3_BUCKET: "volumes", BERTH_S3_ENDPOINT: "https://id:hunter2@s3.example" },
    { BERTH_S3_BUCKET: "volumes", BERTH_S3_PATH_STYLE: "maybe" },
  ]) {
    assert.throws(
      () => syncSettings(env),
      (error: Error & { code?: string }) => error.code === "configuration" && !error.message.includes("hunter2"),
    );
  }
});
