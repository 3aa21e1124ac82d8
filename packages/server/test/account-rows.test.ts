import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import {
  type Bytes,
  concat,
  DecodeError,
  decode,
  encode,
  fromHex,
  toHex,
} from "@lockkeeper/encoding"
import { type AccountRow, accountRow } from "../src/account-row.ts"
import { readAccount } from "../src/accounts.ts"
import { sharingOfAccountRow } from "../src/resharing/accounts.ts"
import { refreshAccounts } from "./account-refresh.ts"
import { startCluster } from "./memory-cluster.ts"
import { TestOwner } from "./owner.ts"

/** As a server of version 0.1.0 stored it after a password change that was not final yet. */
const FIRST = fromHex(
  readFileSync(new URL("./rows/account-1.hex", import.meta.url), "utf8").replaceAll("\n", ""),
)

/** Version, no later generation and no other home, for both records. */
const AS_REGISTERED = Uint8Array.of(2, 0, 0, 0, 0)

async function rowsOf(
  prepare: (owner: TestOwner) => Promise<void>,
): Promise<readonly AccountRow[]> {
  const owner = new TestOwner(await startCluster())
  await owner.register("right")
  await prepare(owner)
  const rows = owner.servers.map(({ store }) => readAccount(store, owner.accountId))
  return (await Promise.all(rows)).map((row) => row!.value)
}

test("a row from before there were later generations reads as one of its registration", () => {
  const row = decode(accountRow, FIRST)
  assert.deepEqual([row.name, row.createdAt], ["alice", 1_700_000_000_000])
  assert.deepEqual([row.active?.identifier, row.active?.home, row.active?.oprf], [1, 1, null])
  assert.deepEqual([row.previous?.home, row.previous?.oprf, row.pending], [1, null, null])
  assert.equal(row.active?.registration.keys.opaqueVersion, 2)
  assert.equal(row.previous?.registration.keys.opaqueVersion, 1)
  assert.equal(sharingOfAccountRow(row)?.keyEpoch, 1)
  // Written again it is of this version: the same bytes, with more behind them.
  assert.equal(toHex(encode(accountRow, row)), toHex(concat(FIRST, AS_REGISTERED)))
})

test("rows come back as they were, in every generation", async () => {
  const rows = [
    ...(await rowsOf(async () => undefined)),
    ...(await rowsOf((owner) => refreshAccounts(owner.cluster, [owner]))),
  ]
  assert.equal(rows.length, 6)
  for (const row of rows) {
    const encoded = encode(accountRow, row)
    const again = decode(accountRow, encoded)
    assert.deepEqual(encode(accountRow, again), encoded)
    assert.deepEqual(again.active?.oprf, row.active?.oprf)
    const moved = { ...row, active: row.active && { ...row.active, home: 3 } }
    assert.equal(decode(accountRow, encode(accountRow, moved)).active?.home, 3)
  }
})

test("a row that is none of these is refused where it goes wrong", () => {
  const refused = (bytes: Bytes, message: RegExp) =>
    assert.throws(
      () => decode(accountRow, bytes),
      (error) => error instanceof DecodeError && message.test(error.message),
    )
  const end = FIRST.length
  refused(FIRST.subarray(0, end - 1), /ends 1 bytes early/)
  for (const other of [0, 1, 5]) refused(concat(FIRST, Uint8Array.of(other, 0, 0, 0, 0)), /version/)
  refused(concat(FIRST, AS_REGISTERED.subarray(0, 4)), /previous.home: .*early/)
  refused(concat(FIRST, AS_REGISTERED, Uint8Array.of(0)), /trailing|after/)
  // Its own number is not another server's.
  refused(concat(FIRST, Uint8Array.of(2, 0, 1, 0, 1, 0, 0)), /active: not canonical/)
  const nobody = { ...decode(accountRow, FIRST), previous: null }
  const bytes = encode(accountRow, nobody)
  const homed = concat(bytes.subarray(0, bytes.length - 1), Uint8Array.of(1, 0, 2))
  refused(homed, /previous: not canonical/)
  const left = { signingPublicKey: new Uint8Array(32).fill(7), opaqueVersion: 5 }
  refused(concat(FIRST, Uint8Array.of(3, ...left.signingPublicKey, 0, 0, 0, 5)), /account is here/)
  assert.throws(() => encode(accountRow, { ...nobody, left }), /that has left is here/)
})

test("a row of an account that has left says whose it is, behind a version of its own", () => {
  const row = decode(accountRow, FIRST)
  const left = { signingPublicKey: new Uint8Array(32).fill(7), opaqueVersion: 5 }
  const gone = { ...row, active: null, previous: null, pending: null, left }
  const encoded = encode(accountRow, gone)
  assert.deepEqual(decode(accountRow, encoded), gone)
  assert.equal(toHex(encoded).endsWith(`03${"07".repeat(32)}00000005`), true)
  assert.ok(encoded.length < 32 + 4 + 5 + 8 + 3 + 8 + 37 + 10)
})

test("an account's charter stays with it, and a row says that there is one in one way", async () => {
  const [row] = await rowsOf(async () => undefined)
  assert.ok(row)
  const charter = new Uint8Array(32).fill(7)
  const bare = encode(accountRow, row)
  const encoded = encode(accountRow, { ...row, charter })
  const mark = concat(Uint8Array.of(4), charter)
  const at = bare.length - AS_REGISTERED.length
  assert.equal(toHex(encoded), toHex(concat(bare.slice(0, at), mark, bare.slice(at))))
  assert.deepEqual(decode(accountRow, encoded).charter, charter)
  assert.equal(decode(accountRow, bare).charter, null)
  const left = { signingPublicKey: new Uint8Array(32), opaqueVersion: 1 }
  const gone = { ...row, active: null, previous: null, pending: null, left, charter }
  const moved = decode(accountRow, encode(accountRow, gone))
  assert.deepEqual([moved.left, moved.charter], [left, charter])
  const twice = concat(bare.slice(0, at), mark, mark, bare.slice(at))
  assert.throws(() => decode(accountRow, twice), DecodeError)
})
