/**
 * Whole stories over real servers and clients, each judged at its end.
 *
 *   npm run scenario -- cheater --json   one server cheats from the start
 *   npm run scenario -- roster --json    new shares, and old files put back, over real processes
 */
const SCENARIOS: Readonly<Record<string, string>> = {
  cheater: "../packages/simulator/src/scenario/main.ts",
  roster: "../packages/demo/src/roster-scenario.ts",
}

const [name = ""] = process.argv.slice(2)
const path = SCENARIOS[name]
if (path === undefined) {
  console.error(`Which scenario? There are: ${Object.keys(SCENARIOS).join(", ")}.`)
  process.exitCode = 2
} else {
  // The scenario of the simulator reads its own name.
  if (name !== "cheater") process.argv.splice(2, 1)
  await import(path)
}
