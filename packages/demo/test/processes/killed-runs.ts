import assert from "node:assert/strict"
import { examineShares, passphraseOf } from "@lockkeeper/cli"
import { follow, isDue, isKeptBack, type Kill, type Place } from "./steps-of-runs.ts"
import type { StoppedCluster } from "./stopped-cluster.ts"

const HALTING = new URL("./halting-coordinator.ts", import.meta.url)

/** Begins the change in a process that comes to a halt at each step. */
export function begin({ operators, change }: StoppedCluster) {
  return operators.spawnWith(HALTING, ...change.move.command)
}

/**
 * Ends somebody at steps of the change, one of them for each kind of shares at most, and has the change
 * brought to its end. Returns the ends that nothing came to.
 */
export async function carryOut(
  stopped: StoppedCluster,
  kills: readonly Kill[],
): Promise<readonly Kill[]> {
  await stopped.restore()
  const pending = new Set(kills)
  // One coordinator more than may end, so that each end has its turn.
  for (let begun = 0; pending.size > 0 && begun <= kills.length; begun++) {
    await runUntilKilled(stopped, pending)
  }
  const { operators, change, owner } = stopped
  for (const done of await operators.move(change.move)) assert.deepEqual(leftOpen(done), [])
  const { signers } = await owner.use("at the end")
  assert.equal(signers.length, owner.keys.length)
  return [...pending]
}

async function runUntilKilled(stopped: StoppedCluster, pending: Set<Kill>): Promise<void> {
  const { operators, owner, change } = stopped
  const coordinator = begin(stopped)
  let isEnded = false
  let down: Kill | null = null
  let back: Promise<void> = Promise.resolve()
  const bringBack = () => {
    if (down !== null) back = operators.start(down.server)
    down = null
    return back
  }
  await follow(coordinator, async (place, moment) => {
    if (isEnded) return false
    if (down !== null && down.kind !== place.kind) bringBack()
    await back
    const due = [...pending].find((kill) => isDue(kill, place, moment))
    if (due === undefined) return moment === "after" || !isHeld(place, [...pending])
    pending.delete(due)
    if (due.victim === "coordinator") {
      isEnded = true
      coordinator.kill("SIGKILL")
    } else {
      down = due
      await operators.server(due.server).stop("SIGKILL")
    }
    // Everybody else is enough, whatever has moved by now.
    const { signers } = await owner.use("while it is down")
    assert.equal(signers.length, owner.keys.length)
    return !isEnded
  })
  await bringBack()

  function isHeld(place: Place, kills: readonly Kill[]): boolean {
    return kills.some((kill) => isKeptBack(kill, place, change.joining))
  }
}

/** What a command tells of that is not done. */
function leftOpen(told: object): readonly unknown[] {
  const { leftOut, missing, lingering, keeping } = told as Readonly<Record<string, object>>
  return [leftOut, missing, lingering, keeping].flatMap((one) => Object.entries(one ?? {}))
}

/** Holders hold what they should, any that are enough are, and who has left holds nothing. */
export async function examine(stopped: StoppedCluster, without: number): Promise<void> {
  const { operators, owner, change, cluster } = stopped
  await operators.server(without).stop("SIGKILL")
  for (const signers of (await owner.use(`without ${without}`)).signers) {
    assert.ok(!signers.includes(without))
  }
  await operators.stop()
  assert.deepEqual(await examineShares(cluster, change.holders), [])
  for (const left of change.leaving) {
    const { directory } = operators.server(left)
    const unsealing = ["--passphrase-file", passphraseOf(cluster, left), "--dry-run"]
    await operators.run("server", "retire", directory, ...unsealing)
  }
}
