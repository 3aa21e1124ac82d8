import {
  commitmentList,
  identityKeys,
  type Operation,
  prepareBody,
  preparedEcdsa,
  prepareEcdsaBody,
  type Roster,
  requestDigest,
  rosterDigest,
  type SignedRequest,
  signBody,
  signEcdsaBody,
  signEcdsaInput,
  signEcdsaOutput,
  signRequest,
  signStepInput,
  signStepOutput,
} from "@lockkeeper/api"
import type { Dependencies, KeyInfo } from "@lockkeeper/client"
import {
  type Identifier,
  ristretto255,
  Secret,
  type SigningKey,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, concat, decode, encode, toHex, utf8 } from "@lockkeeper/encoding"
import { frost, messageCodec, opaque } from "@lockkeeper/protocols"
import { RawSession } from "./raw-session.ts"
import type { Recorder } from "./recorder.ts"

const NOTHING = new Uint8Array(0)

interface Setting {
  readonly deps: Dependencies
  readonly roster: Roster
  /** As it was signed. */
  readonly encodedRoster: Bytes
  readonly recorder: Recorder
  readonly actor: string
}

/** FROST commitments that were handed out once, and are used again and again. */
interface Collected {
  readonly key: KeyInfo
  readonly commitments: ReadonlyMap<Identifier, frost.OpenedCommitment>
}

/** The same of ECDSA: one presignature, with nonces for several messages. */
interface CollectedEcdsa {
  readonly key: KeyInfo
  readonly signers: readonly Identifier[]
  readonly presignature: Bytes
  readonly nonces: ReadonlyMap<Identifier, readonly Bytes[]>
}

/**
 * An owner whose own account is in order and whose coordinator lies: it has the same commitments and
 * the same presignature sign different messages, in old and new sessions, as often as it is let.
 */
export class DishonestOwner {
  readonly name: string
  readonly #setting: Setting
  readonly #password: string
  readonly #sessions = new Map<Identifier, RawSession>()
  #key: SigningKey | null = null
  #messages = 0

  constructor(setting: Setting, name: string, password: string) {
    this.#setting = setting
    this.name = name
    this.#password = password
  }

  get #accountId(): Bytes {
    return opaque.accountIdOf(this.name)
  }

  /** Logs in at these servers, in place of whatever sessions it had. */
  async login(servers: readonly Identifier[]): Promise<void> {
    const { deps, roster, encodedRoster } = this.#setting
    const accountId = this.#accountId
    this.#sessions.clear()
    const plan: opaque.LoginPlan = {
      accountId,
      binding: opaque.accountBinding(rosterDigest(encodedRoster), accountId),
      rosterEpoch: roster.rosterEpoch,
      minSigners: roster.minSigners,
      verifyKeys: identityKeys(roster),
      serverKeys: new Map(
        roster.members.map((m) => [m.identifier, ristretto255.decodeElement(m.opaqueKey)]),
      ),
      stretchingBounds: opaque.STRETCHING_BOUNDS,
    }
    const randomness = deps.randomness.bytes(opaque.loginRandomnessLength(roster.members.length))
    const { state, ke1 } = opaque.startLogin(plan, new Secret(utf8(this.#password)), randomness)
    const opened: RawSession[] = []
    for (const server of servers) opened.push(await this.#startLogin(server, ke1))
    const responses = new Map(
      opened.map(({ server, answer }) => [
        server,
        answer.kind === "login" ? answer.response : NOTHING,
      ]),
    )
    const combined = opaque.combineLogin(state, responses)
    if (!combined.ok) return
    const { toStretch, combined: half, stretching } = combined.value
    const stretched = await deps.compute.stretch(toStretch, stretching)
    const finished = opaque.finishLogin(half, stretched)
    if (!finished.ok) return
    for (const session of opened) {
      const own = finished.value.sessions.get(session.server)
      if (own === undefined) continue
      const { accountKeys } = await session.finishLogin(own.ke3, own.sessionKey)
      const wrapped = decode(opaque.accountKeysCodec, accountKeys)
      const keys = opaque.openAccountKeys(finished.value.exportKey, accountId, wrapped)
      if (keys.ok) this.#key = signingKeyFromSeed(keys.value.signingSeed)
      this.#sessions.set(session.server, session)
    }
  }

  #startLogin(server: Identifier, ke1: ReadonlyMap<Identifier, Bytes>): Promise<RawSession> {
    const { deps, roster } = this.#setting
    const member = memberIn(roster, server)
    const issuedAt = deps.clock.now()
    const message = ke1.get(server) ?? NOTHING
    const first = { kind: "login", issuedAt, name: this.name, shownVersion: 0 } as const
    return RawSession.open(deps, roster, member, () => ({ ...first, ke1: message }))
  }

  /** Has one commitment of each signer handed out. */
  async collect(key: KeyInfo, signers: readonly Identifier[]): Promise<Collected> {
    const { roster } = this.#setting
    const body = encode(prepareBody, { keyId: key.keyId, keyEpoch: 1, count: 1 })
    const request = this.#request("sign.prepare", signers, body)
    const context = {
      public: key.certificate.public,
      verifyKeys: identityKeys(roster),
      rosterEpoch: roster.rosterEpoch,
    }
    const commitments = new Map<Identifier, frost.OpenedCommitment>()
    for (const server of signers) {
      const output = await this.#act(server, request, NOTHING)
      const [first = NOTHING] = decode(commitmentList, output)
      const opened = frost.openCommitment(decode(messageCodec, first), context)
      if (opened.ok) commitments.set(server, opened.value)
    }
    return { key, commitments }
  }

  /** Signs a new message with the commitments, whether or not they have signed another one. */
  async signAgain({ key, commitments }: Collected): Promise<void> {
    const { roster } = this.#setting
    const { keyId } = key
    const message = this.#nextMessage()
    const signers = [...commitments.keys()]
    const content = { kind: "message", message } as const
    const body = encode(signBody, { keyId, path: [], content, merkleRoot: null })
    const request = this.#request("sign", signers, body)
    const asked = {
      ...{ rosterEpoch: roster.rosterEpoch, requestDigest: requestDigest(request) },
      ...{ attempt: 1, message, tweak: frost.NO_TWEAK, path: [] },
    }
    const prepared = frost.preparePackage(asked, key.certificate.public, [...commitments.values()])
    if (!prepared.ok) return
    const { package: pkg } = prepared.value
    const signingPackage = encode(frost.signingPackageCodec, pkg)
    const input = encode(signStepInput, { signingPackage, prepare: 0 })
    const share = async (server: Identifier): Promise<void> => {
      const output = await this.#act(server, request, input)
      const id = frost.commitmentIdIn(pkg, server) ?? NOTHING
      this.#keep(server, "nonces", id, message, decode(signStepOutput, output).share)
    }
    await this.#everywhere(signers, share)
  }

  /** Has one presignature offered, with nonces for three messages. */
  async collectEcdsa(key: KeyInfo, signers: readonly Identifier[]): Promise<CollectedEcdsa | null> {
    const body = encode(prepareEcdsaBody, {
      keyId: key.keyId,
      keyEpoch: 1,
      signers: [...signers],
      count: 3,
    })
    const request = this.#request("ecdsa.prepare", signers, body)
    const nonces = new Map<Identifier, readonly Bytes[]>()
    let presignature: Bytes | null = null
    for (const server of signers) {
      const prepared = decode(preparedEcdsa, await this.#act(server, request, NOTHING))
      nonces.set(server, prepared.nonces)
      presignature ??= prepared.presignatures[0] ?? null
    }
    return presignature === null ? null : { key, signers, presignature, nonces }
  }

  /** Signs a new message with the presignature. @param turn - 0 to 2: which nonces to use. */
  async signEcdsaAgain(collected: CollectedEcdsa, turn: number): Promise<void> {
    const { key, signers, presignature, nonces } = collected
    const message = this.#nextMessage()
    const content = { kind: "message", message } as const
    const body = encode(signEcdsaBody, { keyId: key.keyId, path: [], content })
    const request = this.#request("ecdsa.sign", signers, body)
    const own = signers.map((server) => nonces.get(server)?.[turn] ?? NOTHING)
    const input = encode(signEcdsaInput, { keyEpoch: 1, presignature, nonces: own, prepare: 0 })
    await this.#everywhere(signers, async (server) => {
      const { share } = decode(signEcdsaOutput, await this.#act(server, request, input))
      this.#keep(server, "presignatures", presignature, message, share)
    })
  }

  #keep(
    server: Identifier,
    kind: "nonces" | "presignatures",
    id: Bytes,
    message: Bytes,
    share: Bytes,
  ): void {
    const { broadcast } = decode(messageCodec, share)
    const named = { id: toHex(id), message: toHex(message), share: toHex(broadcast) }
    this.#setting.recorder.share({ server, kind, ...named })
  }

  /** At once, so that requests race; a refusal at one server stops no other. */
  async #everywhere(
    servers: readonly Identifier[],
    act: (server: Identifier) => Promise<void>,
  ): Promise<void> {
    await Promise.allSettled(servers.map(act))
  }

  #nextMessage(): Bytes {
    const { actor } = this.#setting
    const message = new Uint8Array(32)
    message.set(utf8(`${actor} ${this.#messages++}`).subarray(0, 32))
    return message
  }

  #request(operation: Operation, servers: readonly Identifier[], body: Bytes): SignedRequest {
    const { deps, roster } = this.#setting
    if (this.#key === null) throw new RangeError("log in first")
    const issuedAt = deps.clock.now()
    const request = {
      ...{ operation, accountId: this.#accountId, requestId: deps.randomness.bytes(16) },
      ...{ rosterEpoch: roster.rosterEpoch, servers: [...servers].sort((a, b) => a - b) },
      ...{ issuedAt, expiresAt: issuedAt + 60_000, body },
    }
    return signRequest(request, this.#key)
  }

  async #act(server: Identifier, request: SignedRequest, input: Bytes): Promise<Bytes> {
    const session = this.#sessions.get(server)
    if (session === undefined) throw new RangeError("log in first")
    return (await session.call({ kind: "act", request, step: 1, input })).output
  }
}

/**
 * Has a server evaluate a guess at somebody's password, and sends a proof that cannot be right: what a
 * stranger with nothing but the name can do.
 */
export async function guess(
  { deps, roster, recorder }: Setting,
  account: string,
  server: Identifier,
): Promise<void> {
  const point = (): Bytes =>
    ristretto255.multiplyBase(ristretto255.scalarFromUniform(deps.randomness.bytes(64)))
  // A blinded password, a nonce and a key share, as RFC 9807 has them; any point blinds some guess.
  const ke1 = concat(point(), deps.randomness.bytes(32), point())
  const issuedAt = deps.clock.now()
  const first = { kind: "login", issuedAt, name: account, shownVersion: 0, ke1 } as const
  const session = await RawSession.open(deps, roster, memberIn(roster, server), () => first)
  recorder.evaluation({ server, account: toHex(opaque.accountIdOf(account)) })
  await session.finishLogin(deps.randomness.bytes(opaque.KE3_LENGTH), null)
}

function memberIn({ members }: Roster, server: Identifier) {
  const member = members.find(({ identifier }) => identifier === server)
  if (member === undefined) throw new RangeError(`there is no server ${server}`)
  return member
}
