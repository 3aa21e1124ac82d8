import { parseArgs } from "node:util"
import { runSuite, type SuiteOptions } from "./suite.ts"
import { TARGETS } from "./targets.ts"

// The attack suite: npm run attack -- --json [--sample N] [--protocol P] [--case ID]

const USAGE = `attack [--json] [--sample N] [--protocol PREFIX] [--case ID] [--list]

  --json       print nothing but the report, one JSON object on the last line
  --sample N   run N cases, chosen evenly among protocols and steps, instead of all
  --protocol   run the protocols whose name begins so: dkg, frost, opaque, dkls
  --case ID    run the cases whose name begins so, and say what became of each
  --list       print the names of the cases and run none`

interface Arguments extends SuiteOptions {
  readonly json: boolean
}

function argumentsOf(args: readonly string[]): Arguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: { type: "boolean", default: false },
        sample: { type: "string" },
        protocol: { type: "string", default: "" },
        case: { type: "string", default: "" },
        list: { type: "boolean", default: false },
      },
    })
    const sample = values.sample === undefined ? null : Number(values.sample)
    if (sample !== null && !(Number.isSafeInteger(sample) && sample > 0)) {
      return "--sample takes a number of cases, 1 or more."
    }
    const { json, protocol, case: id, list } = values
    return { json, sample, protocol, id, list }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const chosen = argumentsOf(process.argv.slice(2))
if (typeof chosen === "string") {
  console.error(`${chosen}\n\n${USAGE}`)
  process.exitCode = 2
} else {
  const say = (line: string) => (chosen.json ? console.error(line) : console.log(line))
  const { report, violated } = await runSuite(TARGETS, chosen, say)
  if (!chosen.list) console.log(JSON.stringify(report))
  process.exitCode = violated ? 1 : 0
}
