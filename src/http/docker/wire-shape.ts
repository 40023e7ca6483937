/** Checks what clients send against the type it should have. Keys nobody knows pass, as with Docker; `null` counts as absent. */
import { isRecord } from "../../spec/descriptor.ts";
import { HttpError } from "../status.ts";

export type Shape = "string" | "integer" | "number" | "boolean" | "any" | { readonly list: Shape } | { readonly map: Shape } | Fields;

interface Fields {
  readonly fields: Readonly<Record<string, Shape>>;
}

export const strings: Shape = { list: "string" };
export const stringMap: Shape = { map: "string" };
export const emptyObjects: Shape = { map: { fields: {} } };

/** Throws 400 naming the field. */
export function checkShape(value: unknown, shape: Shape, path: string): void {
  if (value === undefined || value === null || shape === "any") return;
  if (typeof shape === "string") checkScalar(value, shape, path);
  else if ("list" in shape) checkList(value, shape.list, path);
  else checkObject(value, shape, path);
}

function checkScalar(value: unknown, shape: "string" | "integer" | "number" | "boolean", path: string): void {
  const fits = shape === "integer" ? Number.isSafeInteger(value) : typeof value === shape;
  if (!fits) throw wrong(path, shape === "integer" ? "a whole number" : `a ${shape}`, value);
}

function checkList(value: unknown, item: Shape, path: string): void {
  if (!Array.isArray(value)) throw wrong(path, "a list", value);
  value.forEach((inner, index) => checkShape(inner, item, `${path}[${index}]`));
}

function checkObject(value: unknown, shape: { readonly map: Shape } | Fields, path: string): void {
  if (!isRecord(value)) throw wrong(path, "an object", value);
  if ("map" in shape) {
    for (const [key, inner] of Object.entries(value)) checkShape(inner, shape.map, `${path}.${key}`);
    return;
  }
  for (const [key, inner] of Object.entries(shape.fields)) checkShape(value[key], inner, path === "" ? key : `${path}.${key}`);
}

function wrong(path: string, expected: string, value: unknown): HttpError {
  const found = Array.isArray(value)
    ? "a list"
    : value === null
      ? "null"
      : typeof value === "object"
        ? "an object"
        : `${typeof value} ${JSON.stringify(value)}`;
  return new HttpError(400, `invalid request body: ${path || "body"} must be ${expected}, not ${found.slice(0, 80)}`);
}
