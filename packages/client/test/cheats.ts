import { keyListing } from "@lockkeeper/api"
import {
  groupByName,
  type Identifier,
  ristretto255,
  type Scalar,
  Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  fixedBytes,
  struct,
  toHex,
} from "@lockkeeper/encoding"
import {
  confirmKey,
  type dkg,
  headerCodec,
  keyCertificateCodec,
  type Message,
  messageCodec,
  opaque,
  type PublicKeyPackage,
  sealFirst,
  signMessage,
} from "@lockkeeper/protocols"
import type { Table } from "@lockkeeper/server"
import {
  type AccountRow,
  accountRow,
  answerRow,
  keyGenerationRow,
  keyRow,
  type PairRow,
  pairRow,
  presignatureRow,
  repairRunRow,
} from "@lockkeeper/server/rows"
import type { TestServer } from "./cluster.ts"

// A server cheats here by holding something else than it should, or by computing something else: what
// it signs, it signs with its own key, as a corrupted process would.

/** Rewrites one row of a server's store. */
async function rewrite<T>(
  { store }: TestServer,
  table: Table,
  id: string,
  codec: Codec<T>,
  change: (value: T) => T,
): Promise<void> {
  const row = await store.read(table, id)
  if (row === null) throw new Error(`no row ${id} in ${table}`)
  const value = encode(codec, change(decode(codec, row.value)))
  await store.commit([{ kind: "put", table, id, ifVersion: row.version, value }])
}

type HeldAccount = NonNullable<AccountRow["active"]>

function rewriteRecord(
  server: TestServer,
  name: string,
  change: (record: HeldAccount) => HeldAccount,
): Promise<void> {
  const id = toHex(opaque.accountIdOf(name))
  return rewrite(server, "accounts", id, accountRow, (account) => ({
    ...account,
    active: account.active && change(account.active),
  }))
}

/** The account as a server keeps it, to be put back later. */
export async function accountOf({ store }: TestServer, name: string): Promise<AccountRow> {
  const row = await store.read("accounts", toHex(opaque.accountIdOf(name)))
  return decode(accountRow, row!.value)
}

/** The server took part in a password change but never learned that it was complete. */
export function missActivation(server: TestServer, before: AccountRow): Promise<void> {
  const id = toHex(before.accountId)
  return rewrite(server, "accounts", id, accountRow, ({ active }) => ({
    ...before,
    pending: active && { ...active, confirmations: null },
  }))
}

/** The server confirmed a registration but never learned that it was complete. */
export function missRegistration(server: TestServer, name: string): Promise<void> {
  const id = toHex(opaque.accountIdOf(name))
  return rewrite(server, "accounts", id, accountRow, ({ active, ...account }) => ({
    ...account,
    active: null,
    pending: active && { ...active, confirmations: null },
    pendingSince: account.createdAt,
    left: null,
  }))
}

/** The server has nothing of the account any more. */
export async function loseAccount({ store }: TestServer, name: string): Promise<void> {
  const id = toHex(opaque.accountIdOf(name))
  const row = await store.read("accounts", id)
  await store.commit([{ kind: "take", table: "accounts", id, version: row!.version }])
}

/** The server activated a password change, and nobody told it that all others have too. */
export function keepPrevious(server: TestServer, before: AccountRow): Promise<void> {
  const id = toHex(before.accountId)
  return rewrite(server, "accounts", id, accountRow, (account) => ({
    ...account,
    previous: before.active,
  }))
}

/** From now on this server evaluates the OPRF with another share than the one it was dealt. */
export function evaluateWrongly(server: TestServer, name: string): Promise<void> {
  return rewriteRecord(server, name, (record) => {
    const share = record.share.expose() as Scalar
    return { ...record, share: new Secret(ristretto255.addScalars(share, ristretto255.one)) }
  })
}

/** From now on this server shows another dealing than the one that was registered, and fits it. */
export function showAnotherVector(server: TestServer, name: string): Promise<void> {
  return rewriteRecord(server, name, (record) => {
    const { add, addScalars, generator, one } = ristretto255
    const [first, ...rest] = record.registration.vector
    const vector = [add(first!, generator), ...rest]
    const share = new Secret(addScalars(record.share.expose() as Scalar, one))
    return { ...record, share, registration: { ...record.registration, vector } }
  })
}

/** From now on this server shows a version of its own, `ahead` of its true one. */
export function showAnotherVersion(server: TestServer, name: string, ahead: number): Promise<void> {
  return rewriteRecord(server, name, (record) => {
    const { registration } = record
    const opaqueVersion = registration.keys.opaqueVersion + ahead
    return {
      ...record,
      registration: { ...registration, keys: { ...registration.keys, opaqueVersion } },
    }
  })
}

/** From now on this server's envelope opens for nobody. */
export function spoilEnvelope(server: TestServer, name: string): Promise<void> {
  return rewriteRecord(server, name, (record) => {
    const { envelope } = record.record
    const authTag = envelope.authTag.map((byte) => byte ^ 1) as Bytes
    return { ...record, record: { ...record.record, envelope: { ...envelope, authTag } } }
  })
}

/** From now on this server signs with another share of the key than its own. */
export function signWrongly(server: TestServer, keyId: Bytes): Promise<void> {
  return rewrite(server, "keys", toHex(keyId), keyRow, (key) => {
    const { keyPackage } = key
    const group = groupByName(keyPackage.public.group)
    const share = group.addScalars(keyPackage.signingShare.expose() as Scalar, group.one)
    return { ...key, keyPackage: { ...keyPackage, signingShare: new Secret(share) } }
  })
}

/** From now on this server says that it holds another generation of the key's shares than it does. */
export function claimGeneration(server: TestServer, keyId: Bytes, keyEpoch: number): Promise<void> {
  return rewrite(server, "keys", toHex(keyId), keyRow, (key) => {
    const { keyPackage } = key
    return { ...key, keyPackage: { ...keyPackage, public: { ...keyPackage.public, keyEpoch } } }
  })
}

/** From now on this server yields wrong online shares: it uses what it has not made. */
export function spoilPresignatures({ store }: TestServer): void {
  const read = store.read.bind(store)
  store.read = async (table, id) => {
    const row = await read(table, id)
    if (row === null || table !== "presignatures") return row
    const { madeAt, presignature } = decode(presignatureRow, row.value)
    const v = new Secret(secp256k1.addScalars(presignature.v.expose() as Scalar, secp256k1.one))
    const value = encode(presignatureRow, { madeAt, presignature: { ...presignature, v } })
    return { ...row, value }
  }
}

function pairId(peer: Identifier): string {
  return `${"1".padStart(10, "0")}-${String(peer).padStart(5, "0")}`
}

/** This server no longer knows of a pair. Gives the row that it had. */
export async function forgetPair({ store }: TestServer, peer: Identifier): Promise<Bytes> {
  const row = await store.read("pairs", pairId(peer))
  await store.commit([{ kind: "take", table: "pairs", id: pairId(peer), version: row!.version }])
  return row!.value
}

/** This server has an earlier setup of a pair again. */
export async function putPairBack({ store }: TestServer, peer: Identifier, value: Bytes) {
  const id = pairId(peer)
  const row = await store.read("pairs", id)
  await store.commit([{ kind: "put", table: "pairs", id, ifVersion: row!.version, value }])
}

/** From now on this server multiplies with its peer by other transfers than they had set up. */
export function breakPair(server: TestServer, peer: Identifier): Promise<void> {
  return rewrite<PairRow>(server, "pairs", pairId(peer), pairRow, (row) => {
    if (row.kind === "dead") throw new Error("the pair is dead already")
    return broken(row)
  })
}

/** From now on this server multiplies with everyone by other transfers than are ever set up. */
export function breakEveryPair({ store }: TestServer): void {
  const read = store.read.bind(store)
  store.read = async (table, id) => {
    const row = await read(table, id)
    if (row === null || table !== "pairs") return row
    return { ...row, value: encode(pairRow, broken(decode(pairRow, row.value))) }
  }
}

/** Has `act` done when a pair of this server has died, before the server says so to anyone. */
export function onDeadPair({ store }: TestServer, act: () => void): void {
  const commit = store.commit.bind(store)
  store.commit = async (changes) => {
    const isDead = changes.some(
      (change) =>
        change.kind === "put" &&
        change.table === "pairs" &&
        decode(pairRow, change.value).kind === "dead",
    )
    const positions = await commit(changes)
    if (isDead) act()
    return positions
  }
}

function broken(row: PairRow): PairRow {
  if (row.kind === "dead") return row
  const other = (seeds: Secret) => new Secret(seeds.expose().map((byte) => byte ^ 1) as Bytes)
  const { zeroSeeds, oneSeeds } = row.setup
  const setup = { ...row.setup, zeroSeeds: other(zeroSeeds), oneSeeds: other(oneSeeds) }
  return { kind: "live", setup }
}

/** This server lists a key that it made up and holds alone, certified by itself. */
export async function inventKey(server: TestServer, owner: Bytes, like: PublicKeyPackage) {
  const { identifier, identity } = server.self
  const group = groupByName(like.group)
  const keyId = new Uint8Array(32).fill(0xee)
  const pkg: PublicKeyPackage = {
    ...like,
    keyId,
    minSigners: 1,
    verifyingKey: group.generator,
    verifyingShares: new Map([[identifier, group.generator]]),
  }
  const certificate = encode(keyCertificateCodec, {
    public: pkg,
    confirmations: new Map([[identifier, confirmKey(identity, pkg)]]),
  })
  const value = encode(keyListing, {
    ...{
      keyId,
      label: "send money here",
      custody: { kind: "custodial" },
      state: "active",
      createdAt: 1,
    },
    certificate,
  })
  await listAs(server, owner, keyId, value)
}

/** This server lists another account's key as this one's. */
export async function borrowListing(server: TestServer, owner: Bytes, from: Bytes, keyId: Bytes) {
  const row = await server.store.read("account-keys", `${toHex(from)}-${toHex(keyId)}`)
  await listAs(server, owner, keyId, row!.value)
}

/** This server no longer lists a key. */
export async function hideListing({ store }: TestServer, owner: Bytes, keyId: Bytes) {
  const id = `${toHex(owner)}-${toHex(keyId)}`
  const row = await store.read("account-keys", id)
  await store.commit([{ kind: "take", table: "account-keys", id, version: row!.version }])
}

async function listAs({ store }: TestServer, owner: Bytes, keyId: Bytes, value: Bytes) {
  const id = `${toHex(owner)}-${toHex(keyId)}`
  await store.commit([{ kind: "put", table: "account-keys", id, ifVersion: "absent", value }])
}

type Changed = Partial<Pick<Message, "broadcast" | "sealed">>

/**
 * A dealer that has second thoughts: its first answer to the reveal step is lost on the way, and the
 * repeated request finds another message, signed by the dealer, and a state that agrees with it.
 */
function revealOtherwise(
  server: TestServer,
  change: (state: dkg.DkgRevealed, message: Message) => Changed,
): () => Promise<boolean> {
  let done = false
  return async () => {
    if (done) return false
    const [run] = await server.store.scan("protocol-sessions", "live-", "live-", 1)
    if (run === undefined) return false
    const { stage } = decode(keyGenerationRow, run.value)
    if (stage.kind !== "revealed") return false
    const { state } = stage
    done = true
    const answers = await server.store.scan("answers", "", "", 256)
    const answer = answers.find(({ value }) => isAnswerOf(state, value))
    if (answer === undefined) throw new Error("there is no answer to the reveal step")
    const message = decode(messageCodec, decode(answerRow, answer.value).output as Bytes)
    const changed = resign(server, message, change(state, message))
    const reveal = { header: changed.header, broadcast: changed.broadcast }
    await rewrite(server, "answers", answer.id, answerRow, ({ input }) => ({
      input,
      output: encode(messageCodec, changed),
    }))
    await rewrite(server, "protocol-sessions", run.id, keyGenerationRow, (kept) => ({
      ...kept,
      stage: { kind: "revealed" as const, state: { ...state, reveal } },
    }))
    return true
  }
}

function isAnswerOf({ reveal }: dkg.DkgRevealed, row: Bytes): boolean {
  return toHex(row).includes(toHex(reveal.header.bytes))
}

function resign({ self }: TestServer, message: Message, changed: Changed): Message {
  const header = decode(headerCodec, message.header.bytes)
  const { broadcast, sealed } = { ...message, ...changed }
  const draft = { previousDigest: header.previousDigest, broadcast, sealed }
  return signMessage(self.identity, header, draft)
}

const openingCodec = struct<{ sealingKey: Bytes; commitment: Bytes }>({
  sealingKey: fixedBytes(1216),
  commitment: fixedBytes(32),
})

/** A dealer that seals a wrong share to `victim`, and signs that it did. */
export function dealWronglyTo(server: TestServer, victim: Identifier): () => Promise<boolean> {
  return revealOtherwise(server, (state, message) => {
    const slot = decode(headerCodec, message.header.bytes)
    const { sealingKey } = decode(openingCodec, state.opens.get(victim)!.broadcast)
    const randomness = state.randomness.get(victim)!.expose()
    const wrong = new Uint8Array(32).fill(1)
    const { part } = sealFirst({ slot, recipient: victim }, sealingKey, randomness, wrong)
    return { sealed: new Map(message.sealed).set(victim, part) }
  })
}

/** A dealer that reveals another vector than it had committed to. */
export function revealAnotherVector(server: TestServer): () => Promise<boolean> {
  return revealOtherwise(server, (state, message) => {
    const broadcast = message.broadcast.slice()
    // The blinding behind the vector: the commitment of step 1 no longer opens.
    const at = 4 + 32 * state.params.minSigners
    broadcast[at] = (broadcast[at] as number) ^ 1
    return { broadcast }
  })
}

/** The server has nothing of any key any more. */
export async function loseKeys({ store }: TestServer): Promise<void> {
  for (const table of ["keys", "account-keys", "children", "generations"] as const) {
    for (const { id, version } of await store.scan(table, "", "", 256)) {
      await store.commit([{ kind: "take", table, id, version }])
    }
  }
}

/** The server confirms new shares of a key, and then has lost the one that they were to take the place of. */
export function loseKeyWhenConfirmed({ store }: TestServer, keyId: Bytes): void {
  const commit = store.commit.bind(store)
  store.commit = async (batch) => {
    const positions = await commit(batch)
    const puts = batch.filter((one) => one.kind === "put")
    const isOnItsWay = puts.some(
      (one) => one.table === "reshare-runs" && one.ifVersion !== "absent",
    )
    if (!isOnItsWay || !puts.some((one) => one.table === "generations")) return positions
    store.commit = commit
    const id = toHex(keyId)
    const row = await store.read("keys", id)
    await commit([{ kind: "take", table: "keys", id, version: row!.version }])
    return positions
  }
}

/** From now on this server says that the owner gave the key another name. */
export async function relabel(server: TestServer, keyId: Bytes, label: string): Promise<void> {
  const rows = await server.store.scan("account-keys", "", "", 256)
  const row = rows.find(({ id }) => id.endsWith(toHex(keyId)))
  await rewrite(server, "account-keys", row!.id, keyListing, (listing) => ({ ...listing, label }))
}

/** Where this server has opened a repair, it has forgotten what it is sealed to. */
export async function spoilRepairs(server: TestServer): Promise<void> {
  for (const { id } of await server.store.scan("repair-runs", "", "", 256)) {
    await rewrite(server, "repair-runs", id, repairRunRow, (run) => {
      if (run.stage.kind !== "opened") return run
      const state = { ...run.stage.state, sealingSeed: new Secret(new Uint8Array(32).fill(7)) }
      return { ...run, stage: { kind: "opened" as const, state } }
    })
  }
}
