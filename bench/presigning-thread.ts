/** A client that presigns until a message comes. Says when it has begun, and at the end how many. */
import { parentPort, workerData } from "node:worker_threads"
import type { PoolEvent, Session } from "@lockkeeper/client"
import { openSession, type PresigningOrder } from "./presigning-owner.ts"

const order = workerData as PresigningOrder
const { keeper, session } = await openSession(order, "registered")
let made = 0
const stop = new AbortController()
parentPort?.once("message", () => stop.abort())
const working = order.kind === "maintain" ? maintain(session, order) : fillNewKeys(session)
parentPort?.postMessage("begun")
await working
await session.logout()
keeper.close()
parentPort?.postMessage(made)

function onEvent(event: PoolEvent): void {
  if (event.kind === "batch") made += event.made
}

async function maintain(
  { pools }: Session,
  { keyId, pool }: Extract<PresigningOrder, { kind: "maintain" }>,
): Promise<void> {
  const { signal } = stop
  await pools.maintain({ keys: [keyId], floor: pool, cap: pool, intervalMs: 50, signal, onEvent })
}

async function fillNewKeys({ keys, pools }: Session): Promise<void> {
  while (!stop.signal.aborted) {
    const { key } = await keys.create({ type: "ecdsa-secp256k1" })
    const { signal } = stop
    try {
      await pools.fill({ keyId: key.keyId, floor: order.pool, cap: order.pool, signal, onEvent })
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}
