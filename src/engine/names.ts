import { BerthError } from "../errors.ts";

/** Docker's rule for the human-readable name of a container (contract, method 19). */
export const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Answers the name without its one leading slash. Throws `invalid_spec`. */
export function checkName(name: string): string {
  const bare = name.trim().replace(/^\//, "");
  if (!namePattern.test(bare)) {
    throw new BerthError("invalid_spec", `invalid container name ${JSON.stringify(name)}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, at least 2 characters`);
  }
  return bare;
}

/** A free `adjective_noun`; with a number behind it when chance keeps hitting names in use. */
export function generateName(taken: ReadonlySet<string>, random: () => number = Math.random): string {
  for (let attempt = 0; ; attempt++) {
    const suffix = attempt < 3 ? "" : `${Math.floor(random() * 10 ** Math.min(attempt - 2, 9))}`;
    const name = `${pick(adjectives, random)}_${pick(nouns, random)}${suffix}`;
    if (!taken.has(name)) return name;
  }
}

function pick(words: readonly string[], random: () => number): string {
  return words[Math.floor(random() * words.length)] ?? "plain";
}

const adjectives =
  "able agile amber ample azure bold brave breezy bright brisk calm candid chilly civil clear clever coral cosy crisp curious daring deft dry eager early easy fair fast fine fond fresh gentle glad golden grand green happy hardy honest humble jolly keen kind late lively loyal lucid lucky mellow merry mild misty modest neat nimble noble patient plain polite proud quick quiet rapid ready robust rosy rustic salty serene sharp shiny silent silver sleek smart snug sober solid sound spry steady still sturdy sunny sure swift tender tidy trim true upbeat vivid warm wise witty young zesty".split(
    " ",
  );

const nouns =
  "anchor atoll barge bay beacon birch boat bollard breeze brig buoy canal canoe cape cargo cedar channel cliff clipper cloud coast compass cove crane creek crew current cutter deck delta dinghy dock dolphin dory dune eel estuary ferry fjord fleet float fog frigate gale galley gannet gull gulf harbor haven heron hull inlet island jetty kayak keel kelp ketch knot lagoon lantern lighthouse lugger mackerel mast moor mooring mussel narrows nautilus oar ocean orca osprey otter oyster packet pebble pelican pier pilot plover port prow puffin quay raft reef ripple river rudder sail salmon schooner seal shell shoal shore skiff skipper sloop sound spray squall starfish stern strait stream surf swan tern tide trawler tug turtle voyage walrus wave wharf whale yacht yawl".split(
    " ",
  );
