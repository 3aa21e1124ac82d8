import { startAnvil } from "../../src/anvil.ts"

/** Holds a chain, says where it is, and waits to be killed. */
const { url } = await startAnvil()
process.stdout.write(`${url}\n`)
setInterval(() => undefined, 60_000)
