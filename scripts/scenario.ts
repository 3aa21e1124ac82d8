/**
 * Whole stories over real servers and clients, each judged at its end.
 *
 *   npm run scenario -- cheater --json   one server cheats from the start
 *   npm run scenario -- roster --json    servers come and go, over real processes
 */
const SCENARIOS: Readonly<Record<string, () => Promise<unknown>>> = {
  cheater: () => import("../packages/simulator/src/scenario/main.ts"),
  roster: () => import("../packages/demo/src/roster/scenario.ts"),
}

const [name = ""] = process.argv.slice(2)
const scenario = SCENARIOS[name]
if (scenario === undefined) {
  console.error(`Which scenario? There are: ${Object.keys(SCENARIOS).join(", ")}.`)
  process.exitCode = 2
} else {
  // The scenario of the simulator reads its own name.
  if (name !== "cheater") process.argv.splice(2, 1)
  await scenario()
}
