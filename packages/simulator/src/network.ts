import { errorBody, LockKeeperError, type Member, signedRosterCodec } from "@lockkeeper/api"
import type { Network, ServerLink } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import type { Endpoint } from "@lockkeeper/server"
import type { SeededRandomness } from "./seeded-randomness.ts"
import type { Trace } from "./trace.ts"
import type { VirtualClock } from "./virtual-clock.ts"

/** Longest a message is under way, milliseconds of virtual time. */
const MAX_DELAY_MS = 40

/** A network in one process: every message takes a seeded time, and a server can be cut off. */
export class SimulatedNetwork implements Network {
  readonly #clock: VirtualClock
  readonly #randomness: SeededRandomness
  readonly #trace: Trace
  readonly #endpoints = new Map<Identifier, Endpoint>()

  constructor(clock: VirtualClock, randomness: SeededRandomness, trace: Trace) {
    this.#clock = clock
    this.#randomness = randomness
    this.#trace = trace
  }

  /** Makes an endpoint reachable, or replaces it after a restart. */
  attach(identifier: Identifier, endpoint: Endpoint): void {
    this.#endpoints.set(identifier, endpoint)
  }

  /** From now on nobody answers there. */
  cut(identifier: Identifier): void {
    this.#endpoints.delete(identifier)
  }

  connect({ identifier }: Member): ServerLink {
    const exchange = (what: string, request: Bytes, ask: (endpoint: Endpoint) => Promise<Bytes>) =>
      this.#exchange(identifier, what, request, ask)
    return {
      open: (hello) => exchange("open", hello, (endpoint) => endpoint.open("simulated", hello)),
      call: (frame) =>
        exchange("call", frame.sealed, (endpoint) => endpoint.call("simulated", frame)),
      roster: () =>
        exchange("roster", new Uint8Array(0), async (endpoint) =>
          encode(signedRosterCodec, endpoint.signedRoster()),
        ),
      status: async () => {
        const endpoint = this.#endpoints.get(identifier)
        if (endpoint === undefined) throw unreachable(identifier)
        return { ...endpoint.health(), ...endpoint.version() }
      },
      close: () => undefined,
    }
  }

  async #exchange(
    identifier: Identifier,
    what: string,
    request: Bytes,
    ask: (endpoint: Endpoint) => Promise<Bytes>,
  ): Promise<Bytes> {
    const log = (kind: string, content: Bytes): void =>
      this.#trace.add({ time: this.#clock.now(), server: identifier, what: kind, content })
    log(what, request.slice())
    await this.#delay()
    const endpoint = this.#endpoints.get(identifier)
    if (endpoint === undefined) throw unreachable(identifier)
    try {
      const answer = await ask(endpoint)
      await this.#delay()
      log(`${what}-answer`, answer)
      return answer
    } catch (error) {
      if (!(error instanceof LockKeeperError)) throw error
      await this.#delay()
      const body = error.toBody(identifier)
      log(`${what}-refusal`, encode(errorBody, body))
      throw LockKeeperError.fromBody(body)
    }
  }

  #delay(): Promise<void> {
    return this.#clock.wait(1 + this.#randomness.below(MAX_DELAY_MS))
  }
}

function unreachable(identifier: Identifier): LockKeeperError {
  return new LockKeeperError("unavailable", "The server cannot be reached.", { server: identifier })
}
