import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  type Incident,
  type KeyInfo,
  LockKeeper,
  type ServerHealth as SdkHealth,
  type Session,
  type Taproot,
} from "@lockkeeper/client"
import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type {
  IncidentView,
  Keeper,
  KeeperAddress,
  KeyView,
  OwnerSession,
  ServerHealth,
} from "./owner.ts"
import { readRoster, readRosterBytes } from "./roster-file.ts"

/** Reaches the key servers by the SDK. This file alone knows the SDK's names. */
export async function connectKeeper(address: KeeperAddress): Promise<Keeper> {
  // Without a pin the file itself is what is trusted; its signatures are checked either way.
  const pin = address.rosterPin ?? readRoster(address.roster, null).digest
  const ca = address.ca === null ? {} : { ca: readFileSync(address.ca, "utf8") }
  const keeper = await LockKeeper.connect({ roster: readRosterBytes(address.roster), pin, ...ca })
  const { minSigners, servers } = keeper.threshold
  return {
    servers,
    threshold: minSigners,
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

function ownerSession(session: Session, evidence: string): OwnerSession {
  const kept = (incidents: readonly Incident[]) => keepEvidence(incidents, evidence)
  return {
    name: session.name,
    async createKey(type, label, signal) {
      const { key, incidents } = await session.keys.create({ type, label, signal })
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
    async sign({ keyId, message, merkleRoot }, signal) {
      const order = { keyId, message, signal }
      const taproot = merkleRoot === null ? {} : { taproot: taprootOf(merkleRoot) }
      const { signature, signers, incidents } = await session.sign({ ...order, ...taproot })
      return { signature, signers, incidents: kept(incidents) }
    },
    async changePassword(current, next, signal) {
      kept((await session.changePassword({ current, next, signal })).incidents)
    },
    async logout() {
      await session.logout()
    },
  }
}

function taprootOf(merkleRoot: Bytes): Taproot {
  return merkleRoot.length === 0 ? "key-path" : { merkleRoot }
}

function keyView(key: KeyInfo): KeyView {
  const { keyId, keyType, custody, state, label, createdAt, publicKey, minSigners, holders } = key
  return { keyId, keyType, custody, state, label, createdAt, publicKey, minSigners, holders }
}

function healthView({ server, status, problem, ...rest }: SdkHealth): ServerHealth {
  const { name, url, operator, ready, latencyMs } = rest
  const detail = problem === "" ? `version ${status?.version ?? "unknown"}` : problem
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
