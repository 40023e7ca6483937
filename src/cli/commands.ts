import type { Command } from "commander";
import type { CliContext } from "./context.ts";

/** What the names of a command's operands are, for completion. */
export type Operands = "containers" | "running" | "images" | "image-first" | "container-first" | "any" | "none";

/** A command as the help lists it. Its flags live in a module of its own, loaded when it is used. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly operands: Operands;
  load(): Promise<(context: CliContext) => Command>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: "run",
    summary: "Create and run a new container from an image",
    operands: "image-first",
    load: async () => (await import("./commands/run.ts")).runCommand,
  },
  {
    name: "exec",
    summary: "Run a command in a running container",
    operands: "container-first",
    load: async () => (await import("./commands/exec.ts")).execCommand,
  },
  { name: "ps", summary: "List containers", operands: "none", load: async () => (await import("./commands/ps.ts")).psCommand },
  { name: "logs", summary: "Fetch the logs of a container", operands: "containers", load: async () => (await import("./commands/logs.ts")).logsCommand },
  { name: "stop", summary: "Stop one or more running containers", operands: "running", load: async () => (await import("./commands/stop.ts")).stopCommand },
  {
    name: "kill",
    summary: "Send a signal to one or more running containers",
    operands: "running",
    load: async () => (await import("./commands/kill.ts")).killCommand,
  },
  {
    name: "restart",
    summary: "Restart one or more containers",
    operands: "containers",
    load: async () => (await import("./commands/restart.ts")).restartCommand,
  },
  {
    name: "events",
    summary: "Tell what happens to containers, images, networks and volumes",
    operands: "none",
    load: async () => (await import("./commands/events.ts")).eventsCommand,
  },
  { name: "rm", summary: "Remove one or more containers", operands: "containers", load: async () => (await import("./commands/rm.ts")).rmCommand },
  {
    name: "wait",
    summary: "Wait until containers stop, then print their exit codes",
    operands: "containers",
    load: async () => (await import("./commands/wait.ts")).waitCommand,
  },
  {
    name: "inspect",
    summary: "Show everything known about containers or images, as JSON",
    operands: "any",
    load: async () => (await import("./commands/inspect.ts")).inspectCommand,
  },
  {
    name: "stats",
    summary: "Show a live stream of what containers use",
    operands: "running",
    load: async () => (await import("./commands/stats.ts")).statsCommand,
  },
  { name: "pull", summary: "Download an image from a registry", operands: "images", load: async () => (await import("./commands/pull.ts")).pullCommand },
  { name: "images", summary: "List images", operands: "none", load: async () => (await import("./commands/images.ts")).imagesCommand },
  {
    name: "rmi",
    summary: "Remove one or more images",
    operands: "images",
    load: async () => (await import("./commands/rmi.ts")).rmiCommand,
  },
  {
    name: "tag",
    summary: "Give an image another name",
    operands: "images",
    load: async () => (await import("./commands/tag.ts")).tagCommand,
  },
  {
    name: "push",
    summary: "Upload an image to a registry",
    operands: "images",
    load: async () => (await import("./commands/push.ts")).pushCommand,
  },
  {
    name: "save",
    summary: "Write images to a tar archive",
    operands: "images",
    load: async () => (await import("./commands/save.ts")).saveCommand,
  },
  {
    name: "load",
    summary: "Read images from a tar archive",
    operands: "none",
    load: async () => (await import("./commands/load.ts")).loadCommand,
  },
  {
    name: "import",
    summary: "Make an image of a tar of a root file system",
    operands: "none",
    load: async () => (await import("./commands/import.ts")).importCommand,
  },
  {
    name: "history",
    summary: "Show what an image was made of",
    operands: "images",
    load: async () => (await import("./commands/history.ts")).historyCommand,
  },
  {
    name: "search",
    summary: "Look for images at a registry",
    operands: "none",
    load: async () => (await import("./commands/search.ts")).searchCommand,
  },
  {
    name: "image",
    summary: "Work on images: ls, rm, prune, inspect, save, load, import, tag, push, …",
    operands: "none",
    load: async () => (await import("./commands/image.ts")).imageCommand,
  },
  {
    name: "create",
    summary: "Create a new container without starting it",
    operands: "image-first",
    load: async () => (await import("./commands/create.ts")).createCommand,
  },
  {
    name: "start",
    summary: "Start one or more stopped containers",
    operands: "containers",
    load: async () => (await import("./commands/start.ts")).startCommand,
  },
  {
    name: "attach",
    summary: "Connect the terminal to a running container",
    operands: "running",
    load: async () => (await import("./commands/attach.ts")).attachCommand,
  },
  {
    name: "pause",
    summary: "Stop all processes of containers where they are",
    operands: "running",
    load: async () => (await import("./commands/pause.ts")).pauseCommand,
  },
  {
    name: "unpause",
    summary: "Let paused containers go on",
    operands: "running",
    load: async () => (await import("./commands/unpause.ts")).unpauseCommand,
  },
  {
    name: "update",
    summary: "Change the limits of containers",
    operands: "containers",
    load: async () => (await import("./commands/update.ts")).updateCommand,
  },
  {
    name: "rename",
    summary: "Give a container another name",
    operands: "container-first",
    load: async () => (await import("./commands/rename.ts")).renameCommand,
  },
  {
    name: "top",
    summary: "Show the processes of a container",
    operands: "container-first",
    load: async () => (await import("./commands/top.ts")).topCommand,
  },
  {
    name: "port",
    summary: "Show the published ports of a container",
    operands: "container-first",
    load: async () => (await import("./commands/port.ts")).portCommand,
  },
  {
    name: "cp",
    summary: "Copy files between a container and this host",
    operands: "any",
    load: async () => (await import("./commands/cp.ts")).cpCommand,
  },
  {
    name: "diff",
    summary: "Show what a container changed in its file system",
    operands: "container-first",
    load: async () => (await import("./commands/diff.ts")).diffCommand,
  },
  {
    name: "commit",
    summary: "Make an image of what a container changed",
    operands: "container-first",
    load: async () => (await import("./commands/commit.ts")).commitCommand,
  },
  {
    name: "export",
    summary: "Write the file system of a container as a tar",
    operands: "container-first",
    load: async () => (await import("./commands/export.ts")).exportCommand,
  },
  {
    name: "container",
    summary: "Work on all containers at once: prune",
    operands: "none",
    load: async () => (await import("./commands/container.ts")).containerCommand,
  },
  {
    name: "network",
    summary: "Networks: create, ls, inspect, connect, disconnect, rm, prune",
    operands: "none",
    load: async () => (await import("./commands/network.ts")).networkCommand,
  },
  {
    name: "volume",
    summary: "Volumes: create, ls, inspect, rm, prune, sync",
    operands: "none",
    load: async () => (await import("./commands/volume.ts")).volumeCommand,
  },
  {
    name: "prune",
    summary: "Remove what is not needed, as system prune",
    operands: "none",
    load: async () => (await import("./commands/system.ts")).pruneCommand,
  },
  {
    name: "secret",
    summary: "Secrets for -e NAME=$S:<secret>: create, ls, rm",
    operands: "none",
    load: async () => (await import("./commands/secret.ts")).secretCommand,
  },
  {
    name: "system",
    summary: "The engine as a whole: df, events, info, prune",
    operands: "none",
    load: async () => (await import("./commands/system.ts")).systemCommand,
  },
  { name: "login", summary: "Log in to a registry", operands: "none", load: async () => (await import("./commands/login.ts")).loginCommand },
  { name: "logout", summary: "Log out from a registry", operands: "none", load: async () => (await import("./commands/logout.ts")).logoutCommand },
  { name: "version", summary: "Show the version", operands: "none", load: async () => (await import("./commands/version.ts")).versionCommand },
  {
    name: "info",
    summary: "Show the backend in use and what it stands on",
    operands: "none",
    load: async () => (await import("./commands/info.ts")).infoCommand,
  },
  {
    name: "capabilities",
    summary: "Show which of the 49 methods each backend can do, and how",
    operands: "none",
    load: async () => (await import("./commands/capabilities.ts")).capabilitiesCommand,
  },
  {
    name: "doctor",
    summary: "Check this host and name the remedy for what it lacks",
    operands: "none",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand,
  },
  {
    name: "serve",
    summary: "Run the daemon: Docker Engine API and native API",
    operands: "none",
    load: async () => (await import("./commands/serve.ts")).serveCommand,
  },
  {
    name: "completion",
    summary: "Print a completion script for bash or zsh",
    operands: "none",
    load: async () => (await import("./commands/completion.ts")).completionCommand,
  },
];
