import {
  createKeyBody,
  type KeyType,
  LockKeeperError,
  protocolStepInput,
  type SignedRequest,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode } from "@lockkeeper/encoding"
import {
  type Abort,
  dkg,
  type KeyCertificate,
  type Message,
  messageCodec,
  verifyKeyCertificate,
} from "@lockkeeper/protocols"
import { aboutWhom } from "./exclusions.ts"
import { askAll, notEnough } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import type { Logged, Principal } from "./principal.ts"

export interface KeyOrder {
  readonly keyType: KeyType
  readonly label: string
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

export interface GeneratedKey {
  readonly certificate: KeyCertificate
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
    rosterEpoch: roster.rosterEpoch,
    attempt: 1,
  }
  // Each failed attempt loses a participant, or is repeated once when nobody can be named.
  const mostAttempts = 2 * (servers.holders.length - roster.minSigners + 1)
  const refusals = new Set<string>()
  for (;;) {
    const attempt = new KeyGeneration(principal, order, params, refusals)
    const result = await attempt.run()
    if (result.kind === "made") {
      const verified = verifyKeyCertificate(result.made.certificate, verifyKeys)
      if (verified.ok) return result.made
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
  readonly #failures = new Map<Identifier, LockKeeperError>()
  /** Who refused to work with whom, in all attempts: said twice, it is the refuser's own failure. */
  readonly #refusals: Set<string>
  readonly #excused = new Set<Identifier>()

  constructor(principal: Principal, order: KeyOrder, params: dkg.DkgParams, refusals: Set<string>) {
    this.#refusals = refusals
    this.#principal = principal
    this.#order = order
    this.#params = params
    const { keyId, minSigners, participants: holders, attempt } = params
    const { keyType, label } = order
    const body = encode(createKeyBody, {
      ...{ keyId, keyType, custody: "custodial", label, minSigners, holders, attempt },
    })
    this.#request = principal.request("keys.create", holders, body)
  }

  async run(): Promise<AttemptResult> {
    let task = dkg.dkgCoordinate(this.#params, this.#principal.servers.trust.verifyKeys)
    for (;;) {
      if (task.kind === "aborted") return task
      if (task.kind === "activate") {
        const { certificate, deliveries } = task
        return { kind: "made", made: { certificate, log: await this.#activate(deliveries) } }
      }
      const responses = await this.#step(task.step, task.deliveries)
      task = dkg.dkgAdvance(task.waiting, responses)
    }
  }

  /** Has each participant run one step; who gives no usable message is left out of the answers. */
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
    const { answers, failures } = await askAll(servers, [...deliveries.keys()], (server) => {
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
