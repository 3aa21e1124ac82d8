// Tries to take each of many rows at the sign of its parent, and prints the numbers it won.
import { SqliteRowStore } from "../../src/adapters/sqlite/row-store.ts"
import { StoreConflict } from "../../src/ports/store.ts"
import { append } from "../row-store-conformance.ts"

const [path, count] = process.argv.slice(2)
const store = new SqliteRowStore(path as string)
process.send?.("ready")
await new Promise((resolve) => process.once("message", resolve))
const won: number[] = []
for (let n = 0; n < Number(count); n++) {
  try {
    await store.commit([
      { kind: "take", table: "nonces", id: `row-${n}`, version: 1 },
      append(n % 256),
    ])
    won.push(n)
  } catch (error) {
    if (!(error instanceof StoreConflict)) throw error
  }
}
await store.close()
process.send?.(won)
process.disconnect()
