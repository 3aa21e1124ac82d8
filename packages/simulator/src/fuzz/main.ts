import { parseArgs } from "node:util"
import { seeInside } from "./inside.ts"

const USAGE = `usage: npm run fuzz -- [--frames N] [--seed S] [--decoder NAME] [--json] [--list]
                       [--decoder NAME --input HEX]`

function options() {
  try {
    return parseArgs({
      options: {
        frames: { type: "string", default: "50000" },
        seed: { type: "string", default: "1" },
        decoder: { type: "string" },
        input: { type: "string" },
        list: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    }).values
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`)
    return null
  }
}

const chosen = options()
const frames = Number(chosen?.frames)
if (chosen === null || !Number.isSafeInteger(frames) || frames < 1) {
  if (chosen !== null) console.error(`--frames takes a number from 1.\n${USAGE}`)
  process.exitCode = 2
} else {
  // Before any module of the packages is loaded, so that every one of them is seen.
  const root = new URL("../../../../", import.meta.url).href
  const inside = seeInside(root)
  const { runFuzz } = await import("./run.ts")
  process.exitCode = await runFuzz({ ...chosen, frames, root, inside })
}
