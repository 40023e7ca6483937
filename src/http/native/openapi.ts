/** The OpenAPI 3.1 document of the native API, made from the schemas that check its requests. */
import { z } from "zod";
import { version } from "../../version.ts";
import { base, type NativeRoute } from "./define.ts";
import { errorBody } from "./schemas.ts";

type Json = Readonly<Record<string, unknown>>;

export function openApiDocument(routes: readonly NativeRoute[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const native of routes) {
    const path = `${base}${native.path}`.replace(/:(\w+)\*?/g, "{$1}");
    paths[path] = { ...paths[path], [native.method.toLowerCase()]: operation(native) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Berth", version, description: "Native API of the Berth container engine.", license: { name: "Apache-2.0" } },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    paths,
    components: { schemas: { Error: schemaOf(errorBody, "output") }, securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  };
}

function operation(native: NativeRoute): Json {
  return {
    summary: native.summary,
    operationId: operationId(native),
    tags: [native.tag],
    "x-role": native.role,
    parameters: [...pathParameters(native), ...queryParameters(native)],
    ...requestBody(native),
    responses: {
      [native.answer.status]: answerOf(native),
      default: { description: "An error", content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } },
    },
  };
}

function operationId({ method, path }: NativeRoute): string {
  const words = path
    .split("/")
    .filter((word) => word !== "")
    .map((word) => word.replace(/[:*]/g, "").replace(/^_/, ""));
  return [method.toLowerCase(), ...words].join("_").replace(/[^a-z0-9_]/gi, "_");
}

function pathParameters({ path }: NativeRoute): readonly Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));
}

function queryParameters({ query }: NativeRoute): readonly Json[] {
  if (query === undefined) return [];
  const schema = schemaOf(query, "input");
  const required: unknown = schema["required"];
  const properties = schema["properties"];
  if (typeof properties !== "object" || properties === null) return [];
  return Object.entries(properties).map(([name, inner]) => ({
    name,
    in: "query",
    required: Array.isArray(required) && required.includes(name),
    schema: inner,
  }));
}

function requestBody({ body, bodyType }: NativeRoute): Json {
  if (bodyType !== undefined) return { requestBody: { required: true, content: { [bodyType]: { schema: { type: "string", format: "binary" } } } } };
  return body === undefined ? {} : { requestBody: { content: { "application/json": { schema: schemaOf(body, "input") } } } };
}

function answerOf({ answer }: NativeRoute): Json {
  const { schema, contentType = "application/json" } = answer;
  if (schema === undefined)
    return {
      description: contentType === "application/json" ? "Done" : "The bytes",
      ...(contentType === "application/json" ? {} : { content: { [contentType]: {} } }),
    };
  return { description: "The answer", content: { [contentType]: { schema: schemaOf(schema, "output") } } };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: "draft-2020-12", unrepresentable: "any", reused: "inline" });
  return rest;
}
