// Commits rows until it is killed, printing each number once its commit has resolved.
import { writeSync } from "node:fs"
import { SqliteRowStore } from "../../src/adapters/sqlite/row-store.ts"
import { append, put } from "../row-store-conformance.ts"

const [path, first] = process.argv.slice(2)
const store = new SqliteRowStore(path as string)
const lane = async (start: number): Promise<void> => {
  for (let n = start; ; n += 4) {
    await store.commit([put(`row-${n}`, n), append(n % 256)])
    writeSync(1, `${n}\n`)
  }
}
await Promise.all([0, 1, 2, 3].map((i) => lane(Number(first) + i)))
