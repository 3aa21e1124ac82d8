import { KEY_STATES, type KeyState } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  decode,
  fixedBytes,
  nullable,
  oneOf,
  struct,
} from "@lockkeeper/encoding"
import { type dkls, type KeyPackage, keyPackageCodec, type opaque } from "@lockkeeper/protocols"
import {
  type LoggedEntry,
  readInstalledRoster,
  type SealedStore,
  type Table,
  type Unsealed,
} from "@lockkeeper/server"
import type { Canary } from "./canaries.ts"
import { withUnsealed } from "./deployment.ts"

// As the server writes them; a change of theirs fails here with a DecodeError.
const keyRow = struct<{ accountId: Bytes; state: KeyState; keyPackage: KeyPackage }>({
  accountId: fixedBytes(32),
  state: oneOf(...KEY_STATES),
  keyPackage: keyPackageCodec,
})

/** The part of an account's row that an attacker wants. */
interface AccountRow {
  readonly accountId: Bytes
  readonly active: opaque.AccountRecord | null
}

// The server's own reader of its rows, which it keeps to itself.
const inside = new URL("./accounts.ts", import.meta.resolve("@lockkeeper/server")).href
const { decodeAccount } = (await import(inside)) as { decodeAccount(row: Bytes): AccountRow }

/** What of a presignature is no secret. */
export interface StolenPresignature {
  readonly presignatureId: Bytes
  readonly record: dkls.PresignatureRecord
}

const pool = new URL("./presigning/presignatures.ts", import.meta.resolve("@lockkeeper/server"))
  .href
const { scanPresignatures } = (await import(pool)) as {
  scanPresignatures(
    store: SealedStore,
    after: string,
    limit: number,
  ): Promise<readonly StolenPresignature[]>
}

const seedsRow = struct<Record<"identity" | "channel" | "opaque" | "enumeration", Bytes>>({
  identity: fixedBytes(32),
  channel: fixedBytes(32),
  opaque: fixedBytes(32),
  enumeration: fixedBytes(32),
})

const answerRow = struct<{ input: Bytes; output: Bytes | null }>({
  input: fixedBytes(32),
  output: nullable(bytes(1_000_000)),
})

/** Everything that a server's directory and its passphrase give away. */
export interface Stolen {
  readonly identifier: number
  /** X-Wing seed of the static channel key, 32 bytes. */
  readonly channelSecret: Bytes
  readonly opaqueKey: opaque.KeyPair
  readonly seeds: readonly (readonly [string, Bytes])[]
  readonly keys: readonly KeyPackage[]
  readonly accounts: readonly AccountRow[]
  /** From which the servers answer for names that do not exist. */
  readonly enumerationSeed: Bytes
  readonly nonceIds: readonly string[]
  readonly presignatures: readonly StolenPresignature[]
  readonly entries: readonly LoggedEntry[]
  /** Kept answers, by the request's id and step. */
  readonly answers: ReadonlyMap<string, Bytes>
}

/** Opens one server's directory with its passphrase and takes everything. */
export function steal(directory: string, identifier: number): Promise<Stolen> {
  return withUnsealed(directory, identifier, (unsealed) => contents(identifier, unsealed))
}

async function contents(identifier: number, unsealed: Unsealed): Promise<Stolen> {
  const { store, secrets } = unsealed
  const seeds = await store.read("meta", "seeds")
  if (seeds === null) throw new Error("the directory holds no server")
  const { privateKey, publicKey } = secrets.keyExchange
  const rows = (table: Table) => allRows(store, table)
  return {
    identifier,
    // Copies: the secrets are wiped when the directory is closed again.
    channelSecret: secrets.channelSecret.expose().slice(),
    opaqueKey: { privateKey: Secret.copyOf(privateKey.expose()), publicKey },
    seeds: Object.entries(decode(seedsRow, seeds.value)),
    keys: (await rows("keys")).map(({ value }) => decode(keyRow, value).keyPackage),
    // Beside those of real accounts, whose ids are hexadecimal, there is the decoy of unknown names.
    accounts: (await rows("accounts"))
      .filter(({ id }) => /^[0-9a-f]{64}$/.test(id))
      .map(({ value }) => decodeAccount(value)),
    enumerationSeed: (await readInstalledRoster(unsealed)).enumerationSeed.expose(),
    nonceIds: (await rows("nonces")).map(({ id }) => id),
    presignatures: await scanPresignatures(store, "", 256),
    entries: await allEntries(store),
    answers: new Map(
      (await rows("answers")).flatMap(({ id, value }): [string, Bytes][] => {
        const { output } = decode(answerRow, value)
        return output === null ? [] : [[id, output]]
      }),
    ),
  }
}

async function allRows(store: SealedStore, table: Table) {
  const rows: { readonly id: string; readonly value: Bytes }[] = []
  for (;;) {
    const page = await store.scan(table, "", rows.at(-1)?.id ?? "", 256)
    rows.push(...page)
    if (page.length < 256) return rows
  }
}

async function allEntries(store: SealedStore): Promise<LoggedEntry[]> {
  const entries: LoggedEntry[] = []
  for (;;) {
    const page = await store.entries(entries.length, 256)
    entries.push(...page)
    if (page.length < 256) return entries
  }
}

/** What of it nobody else may ever see. */
export function secretsOf(stolen: Stolen): Canary[] {
  const { identifier, seeds, keys, accounts, entries, opaqueKey } = stolen
  const of = (what: string, bytes: Uint8Array) => ({ name: `server ${identifier}: ${what}`, bytes })
  const records = accounts.flatMap(({ active }) => (active === null ? [] : [active]))
  return [
    ...seeds.map(([name, seed]) => of(`${name} seed`, seed)),
    of("OPAQUE key", opaqueKey.privateKey.expose()),
    ...keys.map(({ signingShare }) => of("signing share", signingShare.expose())),
    ...records.map(({ share }) => of("OPRF share", share.expose())),
    ...records.map(({ record }) => of("masking key", record.maskingKey.expose())),
    ...entries.map(({ salt, index }) => of(`salt of event ${index}`, salt)),
    // The ids in an event are those of rows too, where they stand in the clear.
    ...entries.map(({ event, index }) => ({ ...of(`event ${index}`, event), whole: true })),
  ]
}
