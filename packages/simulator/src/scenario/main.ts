/**
 * Whole stories over real servers and clients, each judged at its end.
 *
 *   npm run scenario -- cheater --json   one server cheats from the start
 */
import { parseArgs } from "node:util"
import { cheater } from "./cheater.ts"

const MAX_ADDED_P95_MS = 2_000
const LEAST_FINISHED = 0.999

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    operations: { type: "string", default: "1000" },
    seed: { type: "string", default: "cheater" },
  },
})

if (positionals.join() !== "cheater") {
  console.error("Which scenario? There is: cheater.")
  process.exitCode = 2
} else {
  const operations = Number(values.operations)
  const outcome = await cheater({ seed: values.seed, operations })
  const ok =
    outcome.finished >= LEAST_FINISHED * outcome.operations &&
    outcome.mostRetries <= 1 &&
    outcome.honestBlamed === 0 &&
    outcome.addedP95Ms <= MAX_ADDED_P95_MS
  if (values.json) console.log(JSON.stringify({ ok, ...outcome }))
  else console.log({ ok, ...outcome })
  if (!ok) process.exitCode = 1
}
