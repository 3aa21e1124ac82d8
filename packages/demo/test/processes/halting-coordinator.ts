import { setImmediate as turn } from "node:timers/promises"

// Loaded before a command of an operator: before it asks a server to take a step of a run, and when it
// has the answer, it says so to the process that started it, and goes on when that one says so.

const api = import.meta.resolve("@lockkeeper/api")
const operator = import.meta.resolve("@lockkeeper/client/operator")

interface Request {
  readonly operation: string
  readonly body: Uint8Array
}

type Act = (
  this: object,
  server: number,
  request: unknown,
  step: number,
  ...rest: unknown[]
) => unknown

const { decodeRequest, reshareBody, repairBody, leaveReshareBody, RESHARE_STEPS, REPAIR_STEPS } =
  await import(api)
const { decode } = await import(import.meta.resolve("@lockkeeper/encoding"))
// No door of the package leads there: what it does between steps is nobody's business but a test's.
const { OperatorPrincipal } = await import(new URL("./operator-principal.ts", operator).href)

const RUNS: Readonly<Record<string, readonly [unknown, Readonly<Record<string, number>>]>> = {
  reshare: [reshareBody, RESHARE_STEPS],
  repair: [repairBody, REPAIR_STEPS],
  "reshare.leave": [leaveReshareBody, { leave: 1 }],
}

let asked = 0

/** Resolves when the process that started this one lets it go on. */
async function halt(about: object): Promise<void> {
  const id = asked++
  await new Promise<void>((resolve) => {
    const answered = (goOn: unknown) => {
      if (goOn !== id) return
      process.off("message", answered)
      resolve()
    }
    process.on("message", answered)
    process.send?.({ id, ...about })
  })
  await turn()
}

process.setMaxListeners(100)
const act: Act = OperatorPrincipal.prototype.act
OperatorPrincipal.prototype.act = async function (server, request, step, ...rest) {
  const { operation, body }: Request = decodeRequest(request)
  const run = RUNS[operation]
  if (run === undefined) return act.call(this, server, request, step, ...rest)
  const [codec, steps] = run
  const name = Object.keys(steps).find((one) => steps[one] === step)
  const about = { kind: decode(codec, body).kind, step: name, server }
  await halt({ moment: "before", ...about })
  const done = await act.call(this, server, request, step, ...rest)
  await halt({ moment: "after", ...about })
  return done
} satisfies Act
