import { LockKeeperError, MAX_CHILDREN } from "@lockkeeper/api"
import { type Bytes, decode, encode, toHex, u32 } from "@lockkeeper/encoding"
import { type ChildPath, childPathProblem, formatChildPath } from "@lockkeeper/protocols"
import type { Change, Store } from "./ports/store.ts"

const TABLE = "children"

const NOTHING = new Uint8Array(0)

function childId(keyId: Bytes, path: ChildPath): string {
  return `${toHex(keyId)}-${formatChildPath(path)}`
}

/** Refuses a path that leads to no child of a shared key. @throws LockKeeperError `body.path` */
export function checkPath(path: ChildPath): void {
  const problem = childPathProblem(path)
  if (problem === null) return
  const remedy =
    problem === "too deep"
      ? "Derive with fewer steps."
      : "Use numbers below 2^31; hardened children take a whole key, which nobody has."
  throw new LockKeeperError("invalid-request", `The path is ${problem}.`, {
    field: "body.path",
    remedy,
  })
}

/** Only registered children sign; the key itself always does. @throws LockKeeperError `not-found` */
export async function checkRegistered(store: Store, keyId: Bytes, path: ChildPath): Promise<void> {
  if (path.length === 0 || (await isRegistered(store, keyId, path))) return
  throw new LockKeeperError("not-found", "The child is not registered at this server.", {
    field: "body.path",
    remedy: "Derive it first.",
  })
}

async function isRegistered(store: Store, keyId: Bytes, path: ChildPath): Promise<boolean> {
  return (await store.read(TABLE, childId(keyId, path))) !== null
}

/** What registers a child: nothing when it is registered. @throws LockKeeperError `rate-limited` */
export async function register(
  store: Store,
  keyId: Bytes,
  path: ChildPath,
): Promise<readonly Change[]> {
  if (path.length === 0 || (await isRegistered(store, keyId, path))) return []
  const row = await store.read(TABLE, toHex(keyId))
  const count = row === null ? 0 : decode(u32, row.value)
  if (count >= MAX_CHILDREN) {
    throw new LockKeeperError("rate-limited", `A key has at most ${MAX_CHILDREN} children.`, {
      field: "body.path",
      remedy: "Use a child that is registered, or another key.",
    })
  }
  const value = encode(u32, count + 1)
  const ifVersion = row?.version ?? "absent"
  const id = childId(keyId, path)
  return [
    { kind: "put", table: TABLE, id, ifVersion: "absent", value: NOTHING },
    { kind: "put", table: TABLE, id: toHex(keyId), ifVersion, value },
  ]
}
