import {
  forgiveGuessesBody,
  KEY_TYPES,
  type KeyType,
  LockKeeperError,
  MAX_MESSAGE,
} from "@lockkeeper/api"
import { type Bytes, encode, equalBytes, toHex, utf8 } from "@lockkeeper/encoding"
import type { KeyCertificate } from "@lockkeeper/protocols"
import { bringUpToDate, changePassword } from "./change-password.ts"
import { CommitmentPool } from "./commitments.ts"
import { createKey } from "./create-key.ts"
import { askAll } from "./gather.ts"
import { type Incident, IncidentLog } from "./incidents.ts"
import { bytesOf, type KeyInfo, openListing } from "./key-info.ts"
import { MAX_KNOWN_KEYS } from "./limits.ts"
import { listKeys, showKey } from "./list-keys.ts"
import type { LoginOutcome } from "./login.ts"
import { type Logged, Principal } from "./principal.ts"
import type { Servers } from "./servers.ts"
import { sign } from "./sign.ts"
import type { Signed } from "./signing-attempt.ts"
import { type PasswordInput, spellPassword } from "./spelling.ts"

/** Every operation can be cancelled; what a server has already done is not undone by it. */
export interface Cancellable {
  readonly signal?: AbortSignal
}

/** What every result carries: the servers that did not do their part, proofs included. */
export interface WithIncidents {
  readonly incidents: readonly Incident[]
}

export interface CreateKeyOptions extends Cancellable {
  readonly type: KeyType
  /** Name for people, up to 64 bytes. */
  readonly label?: string
}

export interface CreatedKey extends WithIncidents {
  readonly key: KeyInfo
  readonly log: readonly Logged[]
}

export interface KeyList extends WithIncidents {
  readonly keys: readonly KeyInfo[]
  /** Ids that fewer than t servers listed: do not use them. */
  readonly unconfirmed: readonly Bytes[]
}

/** How a bip340 key spends a Taproot output, BIP341. */
export type Taproot =
  /** The output key without scripts, as BIP86 has it. */
  | "key-path"
  /** The output key that commits to a script tree. */
  | { readonly merkleRoot: Uint8Array }

export interface SignOptions extends Cancellable {
  /** 32 bytes. */
  readonly keyId: Uint8Array
  /** ed25519: up to 16 KiB, whole, never a hash of it. bip340: the 32-byte sighash. */
  readonly message: Uint8Array
  /** bip340 only; without it the untweaked key signs. */
  readonly taproot?: Taproot
}

export interface Signature extends Signed, WithIncidents {}

export interface ChangePasswordOptions extends Cancellable {
  readonly current: PasswordInput
  readonly next: PasswordInput
}

/** The operations on an account's keys. */
export interface Keys {
  /** Generates a key that never exists in one piece. Takes all servers that answer, at least t. */
  create(options: CreateKeyOptions): Promise<CreatedKey>
  list(options?: Cancellable): Promise<KeyList>
  /** @throws LockKeeperError `not-found`. */
  show(keyId: Uint8Array, options?: Cancellable): Promise<KeyInfo & WithIncidents>
}

/**
 * A logged-in account. There is no way to one but `LockKeeper.login`. It holds the account's request
 * signing key and storage key in memory until `logout`, after which everything refuses.
 */
export class Session {
  readonly name: string
  /** 32 bytes. */
  readonly accountId: Bytes
  /** What the servers of this login counted as failed guesses since the last one. */
  readonly failedGuesses: number
  readonly incidents: readonly Incident[]
  readonly keys: Keys
  readonly #principal: Principal
  readonly #pool = new CommitmentPool()
  readonly #known = new Map<string, KeyInfo>()

  private constructor(
    servers: Servers,
    name: string,
    { login, failedGuesses }: LoginOutcome,
    incidents: readonly Incident[],
  ) {
    this.name = name
    this.accountId = login.accountId
    this.failedGuesses = failedGuesses
    this.incidents = incidents
    this.#principal = new Principal(servers, login)
    this.keys = {
      create: (options) => this.#create(options),
      list: (options = {}) => this.#list(options),
      show: (keyId, options = {}) => this.#show(keyId, options),
    }
  }

  /** A session from a login: the only way to one. */
  static async from(
    servers: Servers,
    name: string,
    outcome: LoginOutcome,
    { incidents, signal }: { readonly incidents: IncidentLog; readonly signal: AbortSignal },
  ): Promise<Session> {
    const session = new Session(servers, name, outcome, incidents.all)
    await bringUpToDate(session.#principal, outcome, signal)
    return session
  }

  /** When the servers will ask for the password again, milliseconds since the Unix epoch. */
  get expiresAt(): number {
    return this.#principal.expiresAt
  }

  /** A signature that was verified under the key, and where the signers logged it. */
  async sign(options: SignOptions): Promise<Signature> {
    const { signal, incidents } = this.#begin(options)
    const keyId = bytesOf(options.keyId, "keyId", 32)
    const message = bytesOf(options.message, "message")
    const key =
      this.#known.get(toHex(keyId)) ?? (await showKey(this.#principal, keyId, signal, incidents))
    this.#remember(key)
    const merkleRoot = merkleRootOf(key, message, options.taproot)
    const order = { key, message, merkleRoot, signal, incidents }
    const signed = await sign(this.#principal, this.#pool, order)
    return { ...signed, incidents: incidents.all }
  }

  /** Changes the password at every server; keys stay as they are. */
  async changePassword(options: ChangePasswordOptions): Promise<WithIncidents> {
    const { signal, incidents } = this.#begin(options)
    using current = spellPassword(options.current)
    using next = spellPassword(options.next)
    if (equalBytes(current.expose(), next.expose())) {
      throw new LockKeeperError("invalid-request", "The new password is the old one.", {
        field: "next",
        remedy: "Choose another.",
      })
    }
    const { name } = this
    await changePassword(this.#principal, { name, current, next, signal, incidents })
    return { incidents: incidents.all }
  }

  /**
   * Says that the failed guesses this login was told of were the owner's own: the servers give them
   * back. A guess that somebody else made is better left counted.
   */
  async forgiveGuesses(options: Cancellable = {}): Promise<WithIncidents> {
    const { signal, incidents } = this.#begin(options)
    const { servers } = this.#principal
    const body = encode(forgiveGuessesBody, { seen: this.failedGuesses })
    const request = this.#principal.request("account.forgive-guesses", servers.all, body)
    const none = new Uint8Array(0)
    const { failures } = await askAll(servers, servers.all, (server) =>
      this.#principal.act(server, request, 1, none, signal),
    )
    for (const [server, error] of failures) incidents.failed(server, error)
    return { incidents: incidents.all }
  }

  /** Ends the session at the servers and wipes it here; a second call does nothing. */
  async logout({ signal = new AbortController().signal }: Cancellable = {}): Promise<void> {
    this.#pool.clear()
    this.#known.clear()
    await this.#principal.end(signal)
  }

  toJSON(): object {
    return { name: this.name, loggedIn: !this.#principal.ended }
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Session { name: ${JSON.stringify(this.name)}, loggedIn: ${!this.#principal.ended} }`
  }

  #begin({ signal = new AbortController().signal }: Cancellable) {
    this.#principal.assertLive()
    return { signal, incidents: new IncidentLog(this.#principal.servers) }
  }

  async #create(options: CreateKeyOptions): Promise<CreatedKey> {
    const { signal, incidents } = this.#begin(options)
    const { type: keyType, label = "" } = options
    if (!KEY_TYPES.includes(keyType)) {
      throw new LockKeeperError("invalid-request", "There is no such key type.", {
        field: "type",
        remedy: `Use one of ${KEY_TYPES.join(", ")}.`,
      })
    }
    if (!label.isWellFormed() || utf8(label).length > 64) {
      throw new LockKeeperError("invalid-request", "The label is longer than 64 bytes.", {
        field: "label",
      })
    }
    const order = { keyType, label, signal, incidents }
    const { certificate, log } = await createKey(this.#principal, order)
    const key = this.#keyOf(certificate, label)
    this.#remember(key)
    return { key, log, incidents: incidents.all }
  }

  #keyOf(certificate: KeyCertificate, label: string): KeyInfo {
    const { servers } = this.#principal
    const { keyId } = certificate.public
    const createdAt = servers.deps.clock.now()
    const custody = "custodial"
    const facts = { keyId, label, custody, state: "active", createdAt } as const
    const opened = openListing(servers.trust, facts, certificate)
    if ("reason" in opened) throw new LockKeeperError("internal", `The key is ${opened.reason}.`)
    return opened.key
  }

  async #list(options: Cancellable): Promise<KeyList> {
    const { signal, incidents } = this.#begin(options)
    const { keys, unconfirmed } = await listKeys(this.#principal, signal, incidents)
    for (const key of keys) this.#remember(key)
    return { keys, unconfirmed, incidents: incidents.all }
  }

  async #show(keyId: Uint8Array, options: Cancellable): Promise<KeyInfo & WithIncidents> {
    const { signal, incidents } = this.#begin(options)
    const wanted = bytesOf(keyId, "keyId", 32)
    const key = await showKey(this.#principal, wanted, signal, incidents)
    this.#remember(key)
    return { ...key, incidents: incidents.all }
  }

  #remember(key: KeyInfo): void {
    this.#known.set(toHex(key.keyId), key)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN_KEYS) break
      this.#known.delete(oldest)
    }
  }
}

function merkleRootOf(
  { keyType }: KeyInfo,
  message: Bytes,
  taproot: Taproot | undefined,
): Bytes | null {
  const refuse = (field: string, text: string, remedy: string): never => {
    throw new LockKeeperError("invalid-request", text, { field, remedy })
  }
  if (message.length > MAX_MESSAGE) {
    return refuse("message", "The message is too long.", `Sign up to ${MAX_MESSAGE} bytes.`)
  }
  if (keyType === "ed25519") {
    if (taproot === undefined) return null
    return refuse("taproot", "Ed25519 keys have no Taproot output.", "Leave `taproot` out.")
  }
  if (message.length !== 32) {
    refuse("message", "A bip340 key signs a 32-byte sighash.", "Hash the transaction first.")
  }
  if (taproot === undefined) return null
  return taproot === "key-path"
    ? new Uint8Array(0)
    : bytesOf(taproot.merkleRoot, "taproot.merkleRoot", 32)
}
