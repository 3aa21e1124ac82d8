import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describeDifference, LockKeeperError } from "@lockkeeper/api"
import {
  type ChildKeyInfo,
  extendedPublicKey,
  type Incident,
  type KeyInfo,
  LockKeeper,
  type RosterChange,
  type ServerHealth as SdkHealth,
  type Session,
  type Taproot,
} from "@lockkeeper/client"
import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, concat, toHex } from "@lockkeeper/encoding"
import { type ChildPath, formatChildPath } from "@lockkeeper/protocols"
import {
  type ChildView,
  type IncidentView,
  type Keeper,
  type KeeperAddress,
  type KeyView,
  MAX_RECORDED,
  type OwnerSession,
  type ServerHealth,
  type SignatureView,
  type SignOrder,
} from "./owner.ts"
import { readRoster, readRosterBytes, replaceRosterFile } from "./roster-file.ts"
import { digestOf } from "./transactions/digest.ts"

/** Most keys whose certificates are kept, so that each is fetched once a session. */
const MAX_KNOWN_KEYS = 256

/** Reaches the key servers by the SDK. This file alone knows its names, and operator.ts operators'. */
export async function connectKeeper(
  address: KeeperAddress,
  tell: (note: string) => void = () => undefined,
): Promise<Keeper> {
  // Without a pin the file itself is what is trusted; its signatures are checked either way.
  const pin = address.rosterPin ?? readRoster(address.roster, null).digest
  const ca = address.ca === null ? {} : { ca: readFileSync(address.ca, "utf8") }
  const roster = readRosterBytes(address.roster)
  const onRoster = (change: RosterChange) => keepRoster(address.roster, change, tell)
  const { deviceSecrets } = address
  const keeper = await LockKeeper.connect({ roster, pin, onRoster, deviceSecrets, ...ca })
  return {
    get servers() {
      return keeper.threshold.servers
    },
    get threshold() {
      return keeper.threshold.minSigners
    },
    get placement() {
      return keeper.placement
    },
    allowsSignersAmong: (servers) => keeper.allowsSignersAmong(servers),
    async register(name, password, signal) {
      await keeper.register({ name, password, signal })
    },
    async login(name, password, signal) {
      const session = await keeper.login({ name, password, signal })
      keepEvidence(session.incidents, address.evidence)
      return ownerSession(session, address.evidence)
    },
    async health(signal) {
      return (await keeper.health({ signal })).map(healthView)
    },
    async close() {
      keeper.close()
    },
  }
}

/** Keeps a chain that was followed in the profile, so that the next command starts from it. */
function keepRoster(path: string, change: RosterChange, tell: (note: string) => void): void {
  const changes = describeDifference(change.difference).map((line) => `  ${line}\n`)
  tell(`note: the key servers follow roster ${change.after.rosterEpoch} now:\n${changes.join("")}`)
  try {
    replaceRosterFile(path, change.chain)
  } catch (error) {
    const why = error instanceof Error ? error.message : "unknown"
    tell(`note: "${path}" was left as it is (${why}); it is followed anew each time.\n`)
  }
}

function ownerSession(session: Session, evidence: string): OwnerSession {
  const kept = (incidents: readonly Incident[]) => keepEvidence(incidents, evidence)
  const known = new Map<string, KeyInfo>()
  const keyOf = async (keyId: Bytes, signal: AbortSignal): Promise<KeyInfo> => {
    const found = known.get(toHex(keyId))
    if (found !== undefined) return found
    const { incidents, ...key } = await session.keys.show(keyId, { signal })
    kept(incidents)
    if (known.size >= MAX_KNOWN_KEYS) known.clear()
    known.set(toHex(keyId), key)
    return key
  }
  return {
    name: session.name,
    async createKey({ keyType: type, deviceSecret, ...order }, signal) {
      const sealed = order.custody === "self" || !deviceSecret ? { deviceSecret } : {}
      const { key, incidents } = await session.keys.create({ type, ...order, ...sealed, signal })
      return { key: keyView(key), incidents: kept(incidents) }
    },
    async listKeys(signal) {
      const { keys, incidents } = await session.keys.list({ signal })
      kept(incidents)
      return keys.map(keyView)
    },
    async showKey(keyId, signal) {
      const key = await session.keys.show(keyId, { signal })
      kept(key.incidents)
      return keyView(key)
    },
    async showChild(keyId, path, signal) {
      const key = await keyOf(keyId, signal)
      return childView(key, session.keys.childKey(key, path))
    },
    async deriveChild(keyId, path, signal) {
      const key = await keyOf(keyId, signal)
      const { child, incidents } = await session.keys.derive(keyId, path, { signal })
      return { child: childView(key, child), incidents: kept(incidents) }
    },
    async changeKeyState(keyId, change, signal) {
      const { incidents, ...changed } = await session.keys[change](keyId, { signal })
      known.delete(toHex(keyId))
      return { ...changed, incidents: kept(incidents) }
    },
    async sign(order, signal) {
      const key = await keyOf(order.keyId, signal)
      return await signed(session, key, order, signal, kept).catch((thrown) =>
        explain(thrown, key, order.path),
      )
    },
    async poolStatus(keyId, signal) {
      const { incidents, keyId: _, ...pool } = await session.pools.status(keyId, { signal })
      return { ...pool, incidents: kept(incidents) }
    },
    async fillPool(keyId, targets, signal) {
      const { made, sets, incidents } = await session.pools.fill({ keyId, ...targets, signal })
      return { made, sets, incidents: kept(incidents) }
    },
    async recordedIncidents(signal) {
      const { recorded, incidents } = await session.recordedIncidents({ signal })
      return { recorded: recorded.slice(0, MAX_RECORDED), incidents: kept(incidents) }
    },
    async changePassword(current, next, signal) {
      kept((await session.changePassword({ current, next, signal })).incidents)
    },
    async logout() {
      await session.logout()
    },
  }
}

async function signed(
  session: Session,
  key: KeyInfo,
  { path, content, merkleRoot }: SignOrder,
  signal: AbortSignal,
  kept: (incidents: readonly Incident[]) => IncidentView[],
): Promise<SignatureView> {
  const digest = digestOf(content, session.keys.childKey(key, path).publicKey)
  const order = { key, path, content, ...(digest === null ? {} : { digest }), signal }
  if (key.keyType === "ecdsa-secp256k1") {
    const { r, s, recovery, signers, incidents } = await session.signDigestOf(order)
    const signature = concat(new Uint8Array(r), new Uint8Array(s))
    return { signature, recovery, signers, incidents: kept(incidents) }
  }
  const taproot = merkleRoot === null ? {} : { taproot: taprootOf(merkleRoot) }
  const { signature, signers, incidents } = await session.sign({ ...order, ...taproot })
  return { signature, recovery: null, signers, incidents: kept(incidents) }
}

/** The SDK's refusals name fields of requests; a person at a terminal is told what to type. */
function explain(thrown: unknown, { keyId }: KeyInfo, path: ChildPath): never {
  if (!(thrown instanceof LockKeeperError)) throw thrown
  const { code, message, field } = thrown
  if (code === "not-found" && field === "body.path") {
    const child = formatChildPath(path)
    throw new LockKeeperError("not-found", `The key servers know no child ${child} of this key.`, {
      field: "path",
      remedy: `Run: lockkeeper keys derive ${toHex(keyId).slice(0, 12)} ${child}`,
      cause: thrown,
    })
  }
  if (code === "invalid-request" && field === "digest") {
    const remedy = "A digest is not zero and below the order of secp256k1: hash what you mean."
    throw new LockKeeperError(code, message, { field: "message", remedy, cause: thrown })
  }
  throw thrown
}

function childView(key: KeyInfo, child: ChildKeyInfo): ChildView {
  const { keyId, keyType } = key
  const { path, publicKey, chainCode, parentKey } = child
  if (keyType === "ed25519") return { keyId, keyType, path, publicKey, extended: null }
  // BIP32 puts the compressed key last.
  const compressed = extendedPublicKey(key, path).slice(-33)
  const extended = { publicKey: compressed, chainCode, parentKey }
  return { keyId, keyType, path, publicKey, extended }
}

function taprootOf(merkleRoot: Bytes): Taproot {
  return merkleRoot.length === 0 ? "key-path" : { merkleRoot }
}

function keyView(key: KeyInfo): KeyView {
  const { keyId, keyType, custody, state, label, createdAt, expiresAt } = key
  const { publicKey, minSigners, holders } = key
  const facts = { keyId, keyType, custody, state, label, createdAt, expiresAt }
  return { ...facts, publicKey, minSigners, holders }
}

function healthView({ server, status, problem, ...rest }: SdkHealth): ServerHealth {
  const { name, url, operator, ready, latencyMs } = rest
  const version = `version ${status?.version ?? "unknown"}`
  const restored = status?.storeRestored ? ", its database was put back" : ""
  const detail = problem === "" ? version + restored : problem
  return { identifier: server, name, url, operator, ready, detail, latencyMs }
}

/** Writes proofs to files, each once, and says where. */
function keepEvidence(incidents: readonly Incident[], directory: string): IncidentView[] {
  return incidents.map(({ server, name, message, reason, evidence }) => {
    if (evidence === null) return { server, name, message, evidence: null }
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const file = `server-${server}-${reason}-${toHex(sha256(evidence)).slice(0, 16)}.lk`
    const path = join(directory, file)
    // The name follows from the contents, so writing it again changes nothing.
    writeFileSync(path, evidence, { mode: 0o600 })
    return { server, name, message, evidence: path }
  })
}
