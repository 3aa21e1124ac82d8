import {
  type Custody,
  createKeyBody,
  type KeyCustody,
  type KeyType,
  LockKeeperError,
  OWNER_DEVICE,
  protocolStepInput,
  type SignedRequest,
} from "@lockkeeper/api"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode } from "@lockkeeper/encoding"
import {
  type Abort,
  dkg,
  type KeyCertificate,
  type Message,
  messageCodec,
  type Outcome,
  verifyKeyCertificate,
} from "@lockkeeper/protocols"
import { aboutWhom } from "./exclusions.ts"
import { askAll, notEnough } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import { OwnerInKeyGeneration } from "./owner-key-generation.ts"
import type { Logged, Principal } from "./principal.ts"

export interface KeyOrder {
  readonly keyType: KeyType
  readonly label: string
  readonly custody: Custody
  /** Whether a secret of this device is to open the owner's share too. */
  readonly deviceSecret: boolean
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

export interface GeneratedKey {
  readonly certificate: KeyCertificate
  readonly custody: KeyCustody
  /** The owner's, which the caller keeps or wipes; null where the servers hold everything. */
  readonly ownerShare: Secret | null
  readonly log: readonly Logged[]
}

/** The steps as `keys.create` numbers them. */
const STEP_NUMBERS: Readonly<Record<dkg.DkgStep | "activate", number>> = {
  open: 1,
  reveal: 2,
  verdict: 3,
  activate: 4,
  answer: 5,
}

/**
 * Generates a key among all servers that answer. Whoever breaks the protocol or is silent is left
 * out of the next attempt, as long as t remain; the holders of the result are the participants of
 * the attempt that succeeded.
 */
export async function createKey(principal: Principal, order: KeyOrder): Promise<GeneratedKey> {
  const { servers } = principal
  const { roster, verifyKeys } = servers.trust
  const gone = new Set<Identifier>()
  let params: dkg.DkgParams = {
    keyId: servers.deps.randomness.bytes(32),
    keyType: order.keyType,
    minSigners: roster.minSigners,
    participants: servers.holding(servers.holders, roster.minSigners),
    additive: new Map(order.custody === "self" ? [[OWNER_DEVICE, principal.signer.publicKey]] : []),
    rosterEpoch: roster.rosterEpoch,
    attempt: 1,
  }
  // Each failed attempt loses a participant, or is repeated once when nobody can be named.
  const mostAttempts = 2 * (servers.holders.length - roster.minSigners + 1)
  const refusals = new Set<string>()
  for (;;) {
    const attempt = await KeyGeneration.begin(principal, order, params, refusals)
    const result = await attempt.run()
    if (result.kind === "made") {
      const verified = verifyKeyCertificate(result.made.certificate, verifyKeys)
      if (verified.ok) return result.made
      result.made.ownerShare?.wipe()
      throw new LockKeeperError("internal", "The generated key's certificate does not verify.")
    }
    const abort = attempt.excusing(result.abort)
    order.incidents.aborted(abort)
    for (const server of [...abort.culprits, ...abort.silent]) gone.add(server)
    const left = servers.holders.filter((id) => !gone.has(id))
    if (left.length < roster.minSigners || params.attempt === mostAttempts) {
      throw attempt.failure(abort)
    }
    // Those too that were kept apart from somebody who is gone now.
    const participants = servers.holding(left, roster.minSigners)
    params = { ...params, participants, attempt: params.attempt + 1 }
  }
}

type AttemptResult =
  | { readonly kind: "made"; readonly made: GeneratedKey }
  | { readonly kind: "aborted"; readonly abort: Abort }

class KeyGeneration {
  readonly #principal: Principal
  readonly #order: KeyOrder
  readonly #params: dkg.DkgParams
  readonly #request: SignedRequest
  readonly #owner: OwnerInKeyGeneration | null
  readonly #custody: KeyCustody
  readonly #failures = new Map<Identifier, LockKeeperError>()
  /** Who refused to work with whom, in all attempts: said twice, it is the refuser's own failure. */
  readonly #refusals: Set<string>
  readonly #excused = new Set<Identifier>()

  private constructor(
    principal: Principal,
    order: KeyOrder,
    params: dkg.DkgParams,
    refusals: Set<string>,
    owner: OwnerInKeyGeneration | null,
  ) {
    this.#refusals = refusals
    this.#principal = principal
    this.#order = order
    this.#params = params
    this.#owner = owner
    this.#custody = owner?.custody ?? { kind: "custodial" }
    const { keyId, minSigners, participants: holders, attempt } = params
    const { keyType, label } = order
    const custody = this.#custody
    const body = encode(createKeyBody, {
      ...{ keyId, keyType, custody, label, minSigners, holders, attempt },
    })
    this.#request = principal.request("keys.create", holders, body)
  }

  /** The owner's share is drawn and sealed before any server is asked, and kept by those that make the key. */
  static async begin(
    principal: Principal,
    order: KeyOrder,
    params: dkg.DkgParams,
    refusals: Set<string>,
  ): Promise<KeyGeneration> {
    const isServersAlone = params.additive.size === 0
    const owner = isServersAlone
      ? null
      : await OwnerInKeyGeneration.begin(principal, params, order.deviceSecret)
    return new KeyGeneration(principal, order, params, refusals, owner)
  }

  async run(): Promise<AttemptResult> {
    let isMade = false
    try {
      const result = await this.#drive()
      isMade = result.kind === "made"
      return result
    } finally {
      this.#owner?.end(isMade)
    }
  }

  async #drive(): Promise<AttemptResult> {
    let task = dkg.dkgCoordinate(this.#params, this.#principal.servers.trust.verifyKeys)
    for (;;) {
      if (task.kind === "aborted") return task
      if (task.kind === "activate") {
        const { certificate, deliveries } = task
        const own = this.#owner?.activate(deliveries.get(OWNER_DEVICE) ?? [])
        if (own?.ok === false) return { kind: "aborted", abort: own.abort }
        const log = await this.#activate(deliveries)
        const custody = this.#custody
        const ownerShare = this.#owner?.share ?? null
        return { kind: "made", made: { certificate, custody, ownerShare, log } }
      }
      const { step, deliveries } = task
      const own = this.#ownStep(step, deliveries)
      if (own?.ok === false) return { kind: "aborted", abort: own.abort }
      const responses = await this.#step(step, deliveries)
      if (own !== null) responses.push({ from: OWNER_DEVICE, message: own.value })
      task = dkg.dkgAdvance(task.waiting, responses)
    }
  }

  /** The owner's own message of a step; null where the owner holds no share, or it is not its turn. */
  #ownStep(step: dkg.DkgStep, deliveries: dkg.Deliveries): Outcome<Message> | null {
    const messages = deliveries.get(OWNER_DEVICE)
    return this.#owner === null || messages === undefined ? null : this.#owner.step(step, messages)
  }

  /** Has each server run one step; who gives no usable message is left out of the answers. */
  async #step(step: dkg.DkgStep, deliveries: dkg.Deliveries): Promise<dkg.DkgResponse[]> {
    const outputs = await this.#askEach(step, deliveries)
    const responses: dkg.DkgResponse[] = []
    for (const [from, { output }] of outputs) {
      const message = decodeMessage(output)
      if (message === null) this.#order.incidents.suspected(from, "malformed-payload")
      else responses.push({ from, message })
    }
    return responses
  }

  /** The key exists already, since all have confirmed it; t must hold it for it to be of use. */
  async #activate(deliveries: dkg.Deliveries): Promise<readonly Logged[]> {
    const { servers } = this.#principal
    const outputs = await this.#askEach("activate", deliveries)
    const log = [...outputs].map(([server, { log }]) => ({ server, log }))
    if (log.length >= servers.minSigners) return log
    throw notEnough(servers.minSigners, log.length, this.#failures)
  }

  async #askEach(step: dkg.DkgStep | "activate", deliveries: dkg.Deliveries) {
    const { servers } = this.#principal
    const { signal, incidents } = this.#order
    const asked = [...deliveries.keys()].filter((one) => one !== OWNER_DEVICE)
    const { answers, failures } = await askAll(servers, asked, (server) => {
      const input = encodeInput(deliveries.get(server) ?? [])
      const stepMs = this.#patienceWith(server, step)
      return this.#principal.act(server, this.#request, STEP_NUMBERS[step], input, signal, stepMs)
    })
    for (const [server, error] of failures) {
      incidents.failed(server, error, this.#params.participants)
      this.#failures.set(server, error)
      this.#excuse(server, error)
    }
    return answers
  }

  /**
   * Everyone else waits for a silent server too. One that gave no answer lately is waited for at the
   * first step twice as long as it was found silent in, so that who is merely slow still holds the key.
   */
  #patienceWith(server: Identifier, step: dkg.DkgStep | "activate"): number {
    const { patience } = this.#principal.servers
    const { keyGenerationStepMs, hedgeMs } = patience
    const isKnown = step === "open" && this.#principal.servers.isDemoted(server)
    return isKnown ? Math.min(keyGenerationStepMs, 2 * hedgeMs) : keyGenerationStepMs
  }

  #excuse(server: Identifier, error: LockKeeperError): void {
    const about = aboutWhom(server, error, this.#params.participants)
    const refusal = `${server}-${about}`
    if (about === null || this.#refusals.has(refusal)) return
    this.#refusals.add(refusal)
    this.#excused.add(server)
  }

  /** Without those who were silent only because they work with another participant no more. */
  excusing(abort: Abort): Abort {
    return { ...abort, silent: abort.silent.filter((server) => !this.#excused.has(server)) }
  }

  /** Why no further attempt is made. */
  failure(abort: Abort): LockKeeperError {
    const { minSigners, participants } = this.#params
    const out = new Set([...abort.culprits, ...abort.silent])
    const left = participants.filter((id) => !out.has(id)).length
    if (left < minSigners) return notEnough(minSigners, left, this.#failures)
    return new LockKeeperError("aborted", `The key generation stopped: ${abort.reason}.`, {
      field: abort.field,
      remedy: "Try again; if it stops again, look at the incidents and ask the operators.",
    })
  }
}

function encodeInput(messages: readonly Message[]): Bytes {
  return encode(protocolStepInput, {
    messages: messages.map((message) => encode(messageCodec, message)),
  })
}

function decodeMessage(output: Bytes): Message | null {
  try {
    return decode(messageCodec, output)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
