import { startAnvil } from "../../src/anvil.ts"

/** Holds a chain, says where it is, and waits to be killed. */
const { url, pid } = await startAnvil()
process.stdout.write(`${url} ${pid}\n`)
setInterval(() => undefined, 60_000)
