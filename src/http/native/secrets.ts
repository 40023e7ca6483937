/** Values for `$S:name` in a container's environment. They go in and never come out. */
import { z } from "zod";
import { UnsupportedError } from "../../errors.ts";
import type { SecretEntry, SecretsFacet } from "../../runtime/extras.ts";
import { type NativeRoute, route } from "./define.ts";
import type { NativeEngine } from "./engine.ts";

const secret = z.object({ name: z.string(), created_at: z.string() }).meta({ id: "Secret" });

export function secretRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const common = { tag: "credentials", role: "admin" } as const;
  return [
    route({
      ...common,
      method: "GET",
      path: "/secrets",
      summary: "Secrets, without their values",
      answer: { status: 200, schema: z.array(secret) },
      handle: async (call) => call.answer(200, (await secretsOf(engine).list()).map(shown)),
    }),
    route({
      ...common,
      method: "POST",
      path: "/secrets",
      summary: "Keep a value for $S:name, in place of the secret of that name",
      body: z.strictObject({ name: z.string(), value: z.string() }),
      answer: { status: 201, schema: secret },
      handle: async (call, { body }) => call.answer(201, shown(await secretsOf(engine).store(body.name, body.value))),
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/secrets/:name",
      summary: "Forget a secret; the slash of @service/name is written %2F",
      answer: { status: 204 },
      handle: async (call) => {
        await secretsOf(engine).remove(call.param("name"));
        call.empty(204);
      },
    }),
  ];
}

function secretsOf({ runtime }: NativeEngine): SecretsFacet {
  const { secrets } = runtime.extras ?? {};
  if (secrets === undefined) throw new UnsupportedError("secrets", runtime.backend, "it keeps none");
  return secrets;
}

function shown({ name, createdAt }: SecretEntry): z.infer<typeof secret> {
  return { name, created_at: createdAt.toISOString() };
}
