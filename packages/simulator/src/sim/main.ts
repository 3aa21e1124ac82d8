import { parseArgs } from "node:util"
import { BUGS } from "./bugs.ts"
import type { Mode } from "./plan.ts"
import { plant } from "./planting.ts"

const USAGE = `npm run sim -- [--seeds N] [--from S] [--seed S] [--mode safety|liveness]
                [--bug NAME] [--repeat N] [--keep-going] [--story] [--ecdsa]
                [--operators] [--changes] [--json]

Runs N seeds (100 by default), from S on (1 by default): safety and liveness in turn, or one of them.
--seed runs one, --repeat runs it N times and compares the traces, --bug plants a bug first,
--story tells beside each violation what every actor was told and when, --keep-going does not stop at
the first, --ecdsa, --operators and --changes leave out the seeds without ECDSA keys, without operators,
without a change of holders.`

/** What the command line asks for. */
export interface Asked {
  readonly seeds: readonly number[]
  readonly modes: readonly Mode[]
  readonly repeat: number
  readonly bug: string | null
  readonly json: boolean
  readonly keepGoing: boolean
  readonly story: boolean
  readonly ecdsa: boolean
  readonly operators: boolean
  readonly changes: boolean
}

class Misuse extends Error {}

function asked(): Asked {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      from: { type: "string" },
      seed: { type: "string" },
      mode: { type: "string" },
      bug: { type: "string" },
      repeat: { type: "string" },
      json: { type: "boolean", default: false },
      "keep-going": { type: "boolean", default: false },
      story: { type: "boolean", default: false },
      ecdsa: { type: "boolean", default: false },
      operators: { type: "boolean", default: false },
      changes: { type: "boolean", default: false },
    },
  })
  const { mode, bug } = values
  if (mode !== undefined && mode !== "safety" && mode !== "liveness") {
    throw new Misuse("--mode is safety or liveness")
  }
  if (bug !== undefined && !BUGS.some(({ name }) => name === bug)) {
    throw new Misuse(`--bug is one of ${BUGS.map(({ name }) => name).join(", ")}`)
  }
  const from = numberOf(values.from, "from") ?? 1
  const one = numberOf(values.seed, "seed")
  const count = numberOf(values.seeds, "seeds") ?? 100
  return {
    seeds: one === null ? Array.from({ length: count }, (_, i) => from + i) : [one],
    modes: mode === undefined ? ["safety", "liveness"] : [mode],
    repeat: numberOf(values.repeat, "repeat") ?? 1,
    bug: bug ?? null,
    json: values.json,
    keepGoing: values["keep-going"],
    story: values.story,
    ecdsa: values.ecdsa,
    operators: values.operators,
    changes: values.changes,
  }
}

function numberOf(value: string | undefined, option: string): number | null {
  if (value === undefined) return null
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new Misuse(`--${option} is a positive integer`)
  return Number(value)
}

async function main(): Promise<number> {
  let options: Asked
  try {
    options = asked()
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    return 2
  }
  // Before anything is loaded that the bug is in.
  if (options.bug !== null) plant(options.bug)
  const { runAll } = await import("./campaign.ts")
  return runAll(options)
}

process.exitCode = await main()
