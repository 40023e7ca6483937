/** Every route of the native API, loaded with the first request to one of them. */
import { z } from "zod";
import type { Route } from "../route.ts";
import { containerActionRoutes } from "./container-actions.ts";
import { containerRoutes } from "./containers.ts";
import { type NativeRoute, route, toRoute } from "./define.ts";
import type { NativeEngine } from "./engine.ts";
import { eventRoutes } from "./events.ts";
import { execRoutes } from "./exec.ts";
import { imageRoutes } from "./images.ts";
import { openApiDocument } from "./openapi.ts";
import { secretRoutes } from "./secrets.ts";
import { networkRoutes, volumeRoutes } from "./storage.ts";
import { systemRoutes } from "./system.ts";

export function nativeRouteList(engine: NativeEngine): readonly NativeRoute[] {
  const routes = [
    ...containerRoutes(engine),
    ...containerActionRoutes(engine),
    ...execRoutes(engine),
    ...eventRoutes(engine),
    ...imageRoutes(engine),
    ...volumeRoutes(engine),
    ...networkRoutes(engine),
    ...systemRoutes(engine),
    ...secretRoutes(engine),
  ];
  let document: unknown;
  const own = route({
    method: "GET",
    path: "/openapi.json",
    summary: "This document",
    tag: "system",
    role: "reader",
    answer: { status: 200, schema: z.unknown() },
    handle: (call) => {
      document ??= openApiDocument([...routes, own]);
      call.answer(200, document);
    },
  });
  return [...routes, own];
}

export function nativeRoutes(engine: NativeEngine): readonly Route[] {
  return [
    ...nativeRouteList(engine).map(toRoute),
    {
      method: "GET",
      path: "/metrics",
      handle: async (call) => call.text(200, await engine.metrics(), "text/plain; version=0.0.4; charset=utf-8"),
    },
  ];
}
