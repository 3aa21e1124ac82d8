import { readFileSync } from "node:fs"
import type { Cluster } from "@lockkeeper/cli"
import { type KeyInfo, LockKeeper, LockKeeperError, type Session } from "@lockkeeper/client"

const DEFAULT_KEYS = 500

/** How many keys: LK_BENCH_KEYS, such as 10 000. */
export function keysAsked(): number {
  const count = Number(process.env["LK_BENCH_KEYS"] ?? DEFAULT_KEYS)
  if (!Number.isInteger(count) || count < 1) throw new Error("LK_BENCH_KEYS is no count of keys")
  return count
}

/** Keys of one owner: each account may hold so many. */
const KEYS_OF_OWNER = 200

/** Key generations at a time, which the servers bound for each owner. */
const IN_FLIGHT = 4

const PASSWORD = "correct horse battery staple"

export function connect(cluster: Cluster): Promise<LockKeeper> {
  return LockKeeper.connect({
    roster: readFileSync(cluster.roster),
    pin: cluster.rosterPin,
    ca: readFileSync(cluster.ca, "utf8"),
  })
}

/** Real key generations, several at a time: rows of another making would not be what servers hold. */
export async function makeKeys(keeper: LockKeeper, count: number): Promise<[Session, KeyInfo]> {
  let first: [Session, KeyInfo] | null = null
  for (let owner = 0; owner * KEYS_OF_OWNER < count; owner++) {
    const name = `owner-${owner}`
    await keeper.register({ name, password: PASSWORD })
    const session = await keeper.login({ name, password: PASSWORD })
    let left = Math.min(KEYS_OF_OWNER, count - owner * KEYS_OF_OWNER)
    const worker = async () => {
      while (left-- > 0) {
        const { key } = await createPatiently(session)
        first ??= [session, key]
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
    if (first?.[0] !== session) await session.logout()
  }
  if (first === null) throw new Error("no keys to refresh")
  return first
}

async function createPatiently(session: Session) {
  for (;;) {
    try {
      return await session.keys.create({ type: "ed25519" })
    } catch (error) {
      if (!(error instanceof LockKeeperError) || error.code !== "rate-limited") throw error
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }
}
