import {
  CUSTODIES,
  forgiveGuessesBody,
  KEY_TYPES,
  LockKeeperError,
  MAX_MESSAGE,
  type SignContent,
} from "@lockkeeper/api"
import { type Bytes, encode, equalBytes, toHex, utf8 } from "@lockkeeper/encoding"
import { bringUpToDate, changePassword } from "./change-password.ts"
import { childKey, pathOf, registerChild, registerWhereMissing } from "./child-keys.ts"
import { CommitmentPool } from "./commitments.ts"
import { ecdsaSignable, frostSignable } from "./content.ts"
import { createKey, type GeneratedKey } from "./create-key.ts"
import type { Piece } from "./evidence-outbox.ts"
import { askAll } from "./gather.ts"
import { inOneGeneration } from "./generations.ts"
import { type Policies, policiesOf, type Requests, requestsOf } from "./governance.ts"
import { type Incident, IncidentLog } from "./incidents.ts"
import { bytesOf, type KeyInfo, openListing } from "./key-info.ts"
import { changeKeyState, type KeyStateChange } from "./key-state.ts"
import { MAX_KNOWN_KEYS } from "./limits.ts"
import { listKeys, showKey } from "./list-keys.ts"
import type { LoginOutcome } from "./login.ts"
import type {
  Cancellable,
  ChangePasswordOptions,
  CreatedKey,
  CreateKeyOptions,
  DerivedKey,
  EcdsaSignature,
  KeyList,
  KeyStateResult,
  Keys,
  RecordedIncidents,
  Signature,
  SignDigestOptions,
  SignOptions,
  Taproot,
  WhatToSign,
  WhichKey,
  WithIncidents,
} from "./options.ts"
import { OwnerDevice } from "./owner-device.ts"
import { OwnerShares } from "./owner-shares.ts"
import { ensurePairs } from "./pairs.ts"
import { type Pools, SessionPools } from "./pools.ts"
import { Principal } from "./principal.ts"
import { recordedIncidents, reportEvidence } from "./reports.ts"
import { mayBeElsewhere } from "./roster-watch.ts"
import type { Servers } from "./servers.ts"
import { sign } from "./sign.ts"
import { signEcdsa } from "./sign-ecdsa.ts"
import { DeadPairs } from "./signer-sets.ts"
import { spellPassword } from "./spelling.ts"
import { Supply } from "./supply.ts"

/** What a session has from the login that opened it. */
interface Origin {
  readonly incidents: IncidentLog
  readonly signal: AbortSignal
  /** Looks for a newer roster, once servers said that they follow one; whether there is. */
  readonly follow: () => Promise<boolean>
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
  /** Presignatures of ECDSA keys, kept ready at the servers. */
  readonly pools: Pools
  /** Who may use the account's keys, for what. */
  readonly policy: Policies
  /** What waits for the people of the account's charter. */
  readonly requests: Requests
  readonly #principal: Principal
  readonly #commitments = new CommitmentPool()
  readonly #supply: Supply
  readonly #ownerShares: OwnerShares
  readonly #known = new Map<string, KeyInfo>()
  #signing = 0
  readonly #follow: () => Promise<boolean>
  readonly #report = (piece: Piece): Promise<void> => reportEvidence(this.#principal, piece)

  private constructor(
    servers: Servers,
    name: string,
    { login, failedGuesses }: LoginOutcome,
    { incidents, follow }: { readonly incidents: IncidentLog } & Pick<Origin, "follow">,
  ) {
    this.name = name
    this.accountId = login.accountId
    this.failedGuesses = failedGuesses
    this.incidents = incidents.all
    this.#follow = follow
    this.#principal = new Principal(servers, login)
    this.keys = {
      create: (options) => this.#told(this.#create(options)),
      list: (options = {}) => this.#told(this.#list(options)),
      show: (keyId, options = {}) => this.#told(this.#show(keyId, options)),
      derive: (keyId, path, options = {}) => this.#told(this.#derive(keyId, path, options)),
      suspend: (keyId, options) => this.#told(this.#changeState(keyId, "suspend", options)),
      resume: (keyId, options) => this.#told(this.#changeState(keyId, "resume", options)),
      deactivate: (keyId, options) => this.#told(this.#changeState(keyId, "deactivate", options)),
      childKey,
    }
    this.policy = policiesOf(this.#principal)
    this.requests = requestsOf(this.#principal)
    servers.outbox.attach(this.#report)
    this.#supply = new Supply(this.#principal, new DeadPairs())
    this.#ownerShares = new OwnerShares(this.#principal)
    const pools = new SessionPools({
      principal: this.#principal,
      supply: this.#supply,
      signing: () => this.#signing,
      keyOf: (keyId, signal, incidents) => this.#keyOf({ keyId }, signal, incidents),
      inOneGeneration: (key, context, use) => this.#inOneGeneration(key, context, use),
      listKeys: async (signal, incidents) =>
        (await listKeys(this.#principal, signal, incidents)).keys,
    })
    this.pools = {
      status: (keyId, options) => this.#told(pools.status(keyId, options)),
      fill: (options) => this.#told(pools.fill(options)),
      maintain: (options) => this.#told(pools.maintain(options)),
    }
  }

  /** A session from a login: the only way to one. */
  static async from(
    servers: Servers,
    name: string,
    outcome: LoginOutcome,
    { incidents, signal, follow }: Origin,
  ): Promise<Session> {
    const session = new Session(servers, name, outcome, { incidents, follow })
    await bringUpToDate(session.#principal, outcome, signal)
    return session
  }

  /** When the servers will ask for the password again, milliseconds since the Unix epoch. */
  get expiresAt(): number {
    return this.#principal.expiresAt
  }

  /** A FROST signature that was verified under the key, and where the signers logged it. */
  sign(options: SignOptions): Promise<Signature> {
    return this.#told(this.#sign(options))
  }

  async #sign(options: SignOptions): Promise<Signature> {
    const { signal, incidents } = this.#begin(options)
    const { digest } = options
    const [content, path] = [contentOf(options), pathOf(options.path)]
    const key = await this.#keyOf(options, signal, incidents)
    if (key.keyType === "ecdsa-secp256k1") throw otherWay("signDigestOf", key)
    const signable = frostSignable(key.keyType, { content, digest })
    const merkleRoot = merkleRootOf(key, options.taproot)
    const order = { path, ...signable, merkleRoot, signal, incidents }
    using share =
      key.custody === "self" ? await this.#ownerShares.of(key, { signal, incidents }) : null
    const signed = await this.#inOneGeneration(key, { signal, incidents }, (current) => {
      const device = share === null ? null : new OwnerDevice(this.#principal, current, share)
      return sign(this.#principal, this.#commitments, { ...order, key: current, device })
    })
    registerWhereMissing(this.#principal, { key, path }, incidents.all)
    return { ...signed, incidents: incidents.all }
  }

  /**
   * An ECDSA signature over what some content comes to, verified under the key or its child. One
   * round trip when the key's pool has a presignature; otherwise one is made first.
   */
  signDigestOf(options: SignDigestOptions): Promise<EcdsaSignature> {
    return this.#told(this.#signDigestOf(options))
  }

  async #signDigestOf(options: SignDigestOptions): Promise<EcdsaSignature> {
    const { signal, incidents } = this.#begin(options)
    const path = pathOf(options.path)
    const signable = ecdsaSignable({ content: options.content, digest: options.digest })
    this.#signing++
    try {
      const key = await this.#keyOf(options, signal, incidents)
      if (key.keyType !== "ecdsa-secp256k1") throw otherWay("sign", key)
      const { content, message: digest } = signable
      const order = { path, content, digest, signal, incidents }
      const signed = await this.#inOneGeneration(key, { signal, incidents }, (current) =>
        signEcdsa(this.#principal, this.#supply, { ...order, key: current }),
      )
      registerWhereMissing(this.#principal, { key, path }, incidents.all)
      return { ...signed, incidents: incidents.all }
    } finally {
      this.#signing--
    }
  }

  /** Changes the password at every server; keys stay as they are. */
  changePassword(options: ChangePasswordOptions): Promise<WithIncidents> {
    return this.#told(this.#changePassword(options))
  }

  async #changePassword(options: ChangePasswordOptions): Promise<WithIncidents> {
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

  /**
   * What the servers have recorded against each other: evidence that this session or others reported,
   * or that they found themselves. Each speaks for itself alone, and a liar may list anything.
   */
  async recordedIncidents(options: Cancellable = {}): Promise<RecordedIncidents> {
    const { signal, incidents } = this.#begin(options)
    const recorded = await recordedIncidents(this.#principal, { signal, incidents })
    return { recorded, incidents: incidents.all }
  }

  /**
   * Ends the session at the servers and wipes it here, once evidence that is being reported has
   * arrived; a second call does nothing.
   */
  async logout({ signal = new AbortController().signal }: Cancellable = {}): Promise<void> {
    const { outbox } = this.#principal.servers
    outbox.detach(this.#report)
    await outbox.settled()
    this.#commitments.clear()
    this.#supply.clear()
    this.#known.clear()
    this.#ownerShares.clear()
    await this.#principal.end(signal)
  }

  toJSON(): object {
    return { name: this.name, loggedIn: !this.#principal.ended }
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Session { name: ${JSON.stringify(this.name)}, loggedIn: ${!this.#principal.ended} }`
  }

  /** The outcome of an operation, or that the servers follow another roster, where that is why. */
  async #told<T>(operation: Promise<T>): Promise<T> {
    try {
      return await operation
    } catch (error) {
      if (!mayBeElsewhere(error) || !this.#principal.servers.someAreElsewhere) throw error
      if (this.#principal.ended || !(await this.#follow())) throw error
      this.#commitments.clear()
      this.#supply.clear()
      this.#ownerShares.clear()
      throw this.#principal.supersede()
    }
  }

  #begin({ signal = new AbortController().signal }: Cancellable) {
    this.#principal.assertLive()
    return { signal, incidents: new IncidentLog(this.#principal.servers) }
  }

  async #create(options: CreateKeyOptions): Promise<CreatedKey> {
    const { signal, incidents } = this.#begin(options)
    const { type: keyType, label = "", custody = "custodial", deviceSecret = true } = options
    checkCustody(options)
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
    const order = { keyType, label, custody, deviceSecret, signal, incidents }
    const pairs = keyType === "ecdsa-secp256k1" ? this.#ensurePairs(signal, incidents) : null
    const [made] = await Promise.all([createKey(this.#principal, order), pairs])
    const key = this.#opened(made, label)
    if (made.ownerShare !== null) this.#ownerShares.keep(key, made.ownerShare)
    this.#remember(key)
    return { key, log: made.log, incidents: incidents.all }
  }

  /** Beside the key generation: what is missing then is set up when it is first needed. */
  async #ensurePairs(signal: AbortSignal, incidents: IncidentLog): Promise<void> {
    const { holders: participants } = this.#principal.servers
    const { dead } = this.#supply
    await ensurePairs(this.#principal, { participants, dead, signal, incidents })
  }

  /** The key that is named, remembered or asked for. */
  async #keyOf(which: WhichKey, signal: AbortSignal, incidents: IncidentLog): Promise<KeyInfo> {
    const keyId = bytesOf(which.keyId ?? which.key?.keyId, "keyId", 32)
    const known = this.#known.get(toHex(keyId))
    const key = known ?? (await showKey(this.#principal, keyId, signal, incidents))
    this.#remember(key)
    return key
  }

  /** Servers may have gone on to other shares of a key since its certificate was fetched. */
  #inOneGeneration<T>(
    key: KeyInfo,
    context: { readonly signal: AbortSignal; readonly incidents: IncidentLog },
    use: (key: KeyInfo) => Promise<T>,
  ): Promise<T> {
    const changed = (current: KeyInfo): void => this.#remember(current)
    return inOneGeneration(this.#principal, key, { ...context, changed }, use)
  }

  #opened({ certificate, custody }: GeneratedKey, label: string): KeyInfo {
    const { servers, signer } = this.#principal
    const { keyId } = certificate.public
    const createdAt = servers.deps.clock.now()
    const facts = { keyId, label, custody, state: "active", createdAt } as const
    const reader = { trust: servers.trust, owner: signer.publicKey }
    const opened = openListing(reader, facts, certificate)
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

  async #derive(
    keyId: Uint8Array,
    path: readonly number[],
    options: Cancellable,
  ): Promise<DerivedKey> {
    const { signal, incidents } = this.#begin(options)
    const key = await this.#keyOf({ keyId }, signal, incidents)
    const child = childKey(key, path)
    const { path: steps } = child
    const log = await this.#inOneGeneration(key, { signal, incidents }, (current) =>
      registerChild(this.#principal, { key: current, path: steps }, { signal, incidents }),
    )
    return { child, log, incidents: incidents.all }
  }

  async #changeState(
    keyId: Uint8Array,
    change: KeyStateChange,
    options: Cancellable = {},
  ): Promise<KeyStateResult> {
    const { signal, incidents } = this.#begin(options)
    const key = await this.#keyOf({ keyId }, signal, incidents)
    let current = key
    const changed = await this.#inOneGeneration(key, { signal, incidents }, (held) => {
      current = held
      return changeKeyState(this.#principal, held, change, { signal, incidents })
    })
    this.#remember({ ...current, state: changed.state })
    return { ...changed, incidents: incidents.all }
  }

  #remember(key: KeyInfo): void {
    this.#known.set(toHex(key.keyId), key)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN_KEYS) break
      this.#known.delete(oldest)
    }
  }
}

function contentOf({ message, content }: WhatToSign): SignContent {
  if (content !== undefined) return content
  const bytes = bytesOf(message, "message")
  if (bytes.length <= MAX_MESSAGE) return { kind: "message", message: bytes }
  throw new LockKeeperError("invalid-request", "The message is too long.", {
    field: "message",
    remedy: `Sign up to ${MAX_MESSAGE} bytes.`,
  })
}

function otherWay(method: string, { keyType }: KeyInfo): LockKeeperError {
  return new LockKeeperError("invalid-request", `A key of type ${keyType} does not sign here.`, {
    field: "keyId",
    remedy: `Use \`${method}\`.`,
  })
}

/** @throws LockKeeperError `invalid-request`, where a key cannot be held so. */
function checkCustody({ type, custody = "custodial", deviceSecret }: CreateKeyOptions): void {
  if (!CUSTODIES.includes(custody)) {
    throw new LockKeeperError("invalid-request", "There is no such custody.", {
      field: "custody",
      remedy: `Use one of ${CUSTODIES.join(", ")}.`,
    })
  }
  if (custody === "custodial" && deviceSecret !== undefined) {
    throw new LockKeeperError("invalid-request", "Custodial keys have no owner's share to seal.", {
      field: "deviceSecret",
      remedy: "Leave `deviceSecret` out, or create the key with custody self.",
    })
  }
  if (custody === "self" && type === "ecdsa-secp256k1") {
    throw new LockKeeperError("invalid-request", `${type} keys have no owner's share yet.`, {
      field: "custody",
      remedy: "Create the key with custody custodial, or one of type ed25519 or bip340.",
    })
  }
}

function merkleRootOf({ keyType }: KeyInfo, taproot: Taproot | undefined): Bytes | null {
  if (taproot === undefined) return null
  if (keyType === "ed25519") {
    throw new LockKeeperError("invalid-request", "Ed25519 keys have no Taproot output.", {
      field: "taproot",
      remedy: "Leave `taproot` out.",
    })
  }
  return taproot === "key-path"
    ? new Uint8Array(0)
    : bytesOf(taproot.merkleRoot, "taproot.merkleRoot", 32)
}
