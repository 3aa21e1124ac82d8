import { LockKeeperError, MAX_CHILDREN } from "@lockkeeper/api"
import { type Bytes, decode, encode, toHex, u32 } from "@lockkeeper/encoding"
import {
  type ChildPath,
  childPathProblem,
  formatChildPath,
  parseChildPath,
} from "@lockkeeper/protocols"
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

/** Children that are registered of a key, at most `limit`. @param limit - 1 to 256. */
export async function childrenOf(
  store: Store,
  keyId: Bytes,
  limit: number,
): Promise<readonly ChildPath[]> {
  const prefix = `${toHex(keyId)}-`
  const rows = await store.scan(TABLE, prefix, prefix, limit)
  return rows.map(({ id }) => {
    const parsed = parseChildPath(id.slice(prefix.length))
    if (!parsed.ok) throw new Error("a child is registered under no path")
    return parsed.path
  })
}

/** What registers those that are not, in at most `room` changes: the first of them where it is less. */
export async function registerAll(
  store: Store,
  keyId: Bytes,
  paths: readonly ChildPath[],
  room: number,
): Promise<readonly Change[]> {
  const row = await store.read(TABLE, toHex(keyId))
  const count = row === null ? 0 : decode(u32, row.value)
  const most = Math.min(room - 1, MAX_CHILDREN - count)
  const fresh: ChildPath[] = []
  for (const path of paths) {
    if (fresh.length >= most) break
    const isUsable = path.length > 0 && childPathProblem(path) === null
    if (isUsable && !(await isRegistered(store, keyId, path))) fresh.push(path)
  }
  if (fresh.length === 0) return []
  const value = encode(u32, count + fresh.length)
  const ifVersion = row?.version ?? "absent"
  return [
    ...fresh.map((path): Change => {
      const id = childId(keyId, path)
      return { kind: "put", table: TABLE, id, ifVersion: "absent", value: NOTHING.slice() }
    }),
    { kind: "put", table: TABLE, id: toHex(keyId), ifVersion, value },
  ]
}
