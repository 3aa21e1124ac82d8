import assert from "node:assert/strict"
import { once } from "node:events"
import { join } from "node:path"
import { test } from "node:test"
import { setTimeout as wait } from "node:timers/promises"
import { startCluster } from "@lockkeeper/cli"
import { Operators } from "../../src/roster/operators.ts"
import { Owner } from "../../src/roster/owner.ts"

/** Ends that are tried: LOCKKEEPER_MOVE_KILLS, such as 60. */
const KILLS = Number(process.env["LOCKKEEPER_MOVE_KILLS"] ?? 3)

/** From when on, and until when, a command is at work, milliseconds after its start. */
const [EARLIEST, LATEST] = [700, 3_500]

test(`while shares move to three of five, ${KILLS} ends without warning lose nothing`, async () => {
  const cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
  const operators = new Operators(cluster)
  const owner = new Owner(cluster)
  try {
    await owner.begin()
    const joining = [await operators.make(4), await operators.make(5)]
    const added = joining.flatMap(({ directory }) => ["--add", join(directory, "descriptor.json")])
    await operators.take({ propose: ["--threshold", "3", ...added], joining })
    const servers = operators.running.map(({ identifier }) => identifier)
    for (let kill = 0; kill < KILLS; kill++) {
      // The coordinator, and then each of the servers; when all has moved, shares are refreshed on.
      const victim = kill % (servers.length + 1)
      for (const command of ["reshare", "refresh"]) {
        const coordinator = operators.spawn(command)
        const ended = once(coordinator, "exit")
        await wait(EARLIEST + Math.random() * (LATEST - EARLIEST))
        if (victim === 0) coordinator.kill("SIGKILL")
        else await operators.server(victim).stop("SIGKILL")
        await ended
        if (victim !== 0) await operators.start(victim)
      }
      const { signers } = await owner.use(`after end ${kill}`)
      assert.equal(signers.length, owner.keys.length)
    }
    const refresh = { command: ["refresh"], told: "refreshed" }
    const last = [...(await operators.move()), ...(await operators.move(refresh))]
    for (const { leftOut } of last) assert.deepEqual(leftOut, [])
    await operators.settle()
    for (const down of [[1, 2], [3, 4], [5]]) {
      for (const one of down) await operators.server(one).stop("SIGKILL")
      await owner.use(`without ${down}`)
      for (const one of down) await operators.start(one)
    }
  } finally {
    await operators.stop()
    await cluster.stop()
  }
})
