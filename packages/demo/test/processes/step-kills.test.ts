import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, test } from "node:test"
import { begin, carryOut, examine } from "./killed-runs.ts"
import { type Kill, killsAt, nameOf, nameOfKill, placesOf } from "./steps-of-runs.ts"
import { CHANGES, type Change, StoppedCluster } from "./stopped-cluster.ts"

/** How many ends of each change are tried: LOCKKEEPER_STEP_KILLS, such as 12, or "all" for each of them. */
const KILLS = process.env["LOCKKEEPER_STEP_KILLS"] ?? "1"
const SEED = process.env["LOCKKEEPER_SEED"] ?? "step kills"
/** Beginning of the names of those that are tried, such as "the coordinator ends after deal of keys". */
const ONLY = process.env["LOCKKEEPER_STEP_KILL"] ?? ""

/** In an order that the seed decides. */
function shuffled(kills: readonly Kill[]): readonly Kill[] {
  const rank = (kill: Kill) =>
    createHash("sha256")
      .update(`${SEED}/${nameOfKill(kill)}`)
      .digest("hex")
  return [...kills].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}

/** One of accounts and one of keys each, which two servers are to be asked for. */
function inPairs(kills: readonly Kill[]): readonly (readonly Kill[])[] {
  const keys = kills.filter(({ kind }) => kind === "keys")
  const pairs = kills
    .filter(({ kind }) => kind === "accounts")
    .map((kill) => {
      const other = keys.findIndex(({ server }) => server !== kill.server)
      return other < 0 ? [kill] : [kill, ...keys.splice(other, 1)]
    })
  return [...pairs, ...keys.map((kill) => [kill])]
}

/** What no server of a change was asked for, of the steps that others were asked for. */
function neverAsked(change: Change, places: readonly Kill[]): readonly string[] {
  const asked = new Set(places.map(nameOf))
  const steps = new Set(places.map(({ kind, step }) => `${kind} ${step}`))
  const servers = [...change.holders, ...change.leaving]
  const all = [...steps].flatMap((step) => servers.map((server) => `${step} ${server}`))
  return all.filter((name) => !asked.has(name))
}

for (const change of CHANGES) {
  test(`${change.name}: whoever ends at a step of it, the change comes to its end`, async (t) => {
    const stopped = await StoppedCluster.make(change)
    after(() => stopped.stop())
    await stopped.restore()
    const all = killsAt(await placesOf(begin(stopped)))
    const named = shuffled(all).filter((kill) => nameOfKill(kill).startsWith(ONLY))
    const chosen = KILLS === "all" ? named : named.slice(0, Number(KILLS))
    t.diagnostic(`${change.name}: ${all.length} ends, of which ${chosen.length} are tried`)
    t.diagnostic(`${change.name}: never asked: ${neverAsked(change, all).join(", ")}`)
    const missed: string[] = []
    const failed: string[] = []
    const rounds = [...inPairs(chosen)]
    for (const [i, round] of rounds.entries()) {
      const name = `${change.name}: ${round.map(nameOfKill).join("; ")}`
      try {
        const left = await carryOut(stopped, round)
        // What came to nothing because of another end comes by itself once more.
        if (left.length < round.length) rounds.push(...left.map((kill) => [kill]))
        else missed.push(...left.map(nameOfKill))
        await examine(stopped, change.holders[i % change.holders.length] as number)
      } catch (error) {
        failed.push(`${name}: ${error instanceof Error ? error.message : error}`)
      }
      if (KILLS === "all") console.log(`${i + 1} of ${rounds.length}: ${name}`)
    }
    t.diagnostic(`${change.name}: ${chosen.length - missed.length} came to pass`)
    assert.deepEqual({ missed, failed }, { missed: [], failed: [] })
  })
}
