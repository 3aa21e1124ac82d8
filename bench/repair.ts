import { join } from "node:path"
import { startCluster } from "@lockkeeper/cli"
import { Operators } from "../packages/demo/src/roster/operators.ts"
import type { Bench } from "./bench.ts"
import { connect, keysAsked, makeKeys } from "./many-keys.ts"

/** How long it takes until every server goes on under another roster of the same holders. */
async function swapMs(operators: Operators, refreshHours: number): Promise<number> {
  const started = performance.now()
  await operators.take({ propose: ["--refresh-hours", `${refreshHours}`] })
  return performance.now() - started
}

export const bench: Bench = {
  name: "repair",
  async run(report) {
    const count = keysAsked()
    const cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    const operators = new Operators(cluster)
    const keeper = await connect(cluster)
    try {
      const emptyMs = await swapMs(operators, 24)
      await makeKeys(keeper, count)
      report({
        name: "roster-swap",
        value: await swapMs(operators, 48),
        unit: "ms",
        baseline: { name: "the same before there were keys", value: emptyMs },
        target: null,
        consistsOf: `another schedule for three running servers with ${count} keys: proposed, signed, joined, activated`,
      })
      await operators.lose(3)
      const joining = [await operators.make(3)]
      const descriptor = join(joining[0]?.directory ?? "", "descriptor.json")
      await operators.take({ propose: ["--replace", `local-3=${descriptor}`], joining })
      const started = performance.now()
      const command = ["repair", "--server", "local-3"]
      const repaired = await operators.move({ command, told: "repaired" })
      const elapsedMs = performance.now() - started
      const keys = repaired.find(({ kind }) => kind === "keys")
      if (keys?.done !== count) throw new Error(`of ${count} keys ${keys?.done} were repaired`)
      await operators.settle()
      report({
        name: "repair-server",
        value: elapsedMs,
        unit: "ms",
        baseline: { name: "keys that were repaired", value: count },
        target: { of: "value", is: "at most", bound: 15 * 60_000 },
        consistsOf:
          "one command, for all keys and accounts of a server made anew in the place of one of three " +
          "that was lost; for 10 000 keys: LK_BENCH_KEYS=10000",
      })
    } finally {
      keeper.close()
      await operators.stop()
      await cluster.stop()
    }
  },
}
