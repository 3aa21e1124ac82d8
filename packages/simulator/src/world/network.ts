import { encodeRosterChain, errorBody, LockKeeperError, type Member } from "@lockkeeper/api"
import type { Network, ServerLink } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import type { Endpoint } from "@lockkeeper/server"
import { type Direction, NetworkFaults, REORDER_FACTOR } from "./faults.ts"
import type { RunningProcess } from "./machine-surroundings.ts"
import type { Observations } from "./observations.ts"
import {
  type Asked,
  type Delivery,
  honestRelay,
  type Relay,
  type WireAnswer,
  type WireRequest,
} from "./relay.ts"
import type { SeededRandomness } from "./seeded-randomness.ts"
import type { Trace } from "./trace.ts"
import type { VirtualClock } from "./virtual-clock.ts"

/** How long a connection on which nothing comes is kept by who has no patience of its own. */
const CONNECTION_MS = 120_000

const EMPTY = new Uint8Array(0)
const BROKEN: WireAnswer = { kind: "broken" }
// Given as the reason, since an exception with its stack would cost more than most messages.
const OVER = "over"

/** What the network takes from its world. */
export interface NetworkSurroundings {
  readonly clock: VirtualClock
  readonly randomness: SeededRandomness
  readonly trace: Trace
  readonly observations: Observations
  readonly running: (identifier: Identifier) => RunningProcess | null
  readonly commitsOf: (identifier: Identifier) => number
}

/**
 * A network in one process: every message takes a seeded time, and may be lost, held back, repeated
 * or cut off, each way by itself.
 */
export class SimulatedNetwork {
  readonly faults = new NetworkFaults()
  relay: Relay = honestRelay
  readonly #around: NetworkSurroundings

  constructor(around: NetworkSurroundings) {
    this.#around = around
  }

  /** Messages between these get no further; `*` is everyone. */
  partition(
    actor: string,
    server: Identifier | "*" = "*",
    directions: Direction | "both" = "both",
  ): void {
    this.faults.partition(actor, server, directions)
  }

  /** All links work, and nobody lies in between. */
  heal(): void {
    this.faults.heal()
    this.relay = honestRelay
  }

  /** The network as one actor is connected to it. */
  for(actor: string): Network {
    return { connect: (member) => this.#link(actor, member) }
  }

  #link(actor: string, { identifier: server, name }: Member): ServerLink {
    const ask = async (request: WireRequest, signal: AbortSignal): Promise<WireAnswer> => {
      const answer = await this.#exchange({ actor, server, request }, signal)
      if (answer.kind === "broken") throw unreachable(server, name)
      if (answer.kind === "refusal") throw refusal(server, answer.error)
      return answer
    }
    const content = async (request: WireRequest, signal: AbortSignal): Promise<Bytes> => {
      const answer = await ask(request, signal)
      if (answer.kind !== "answer") throw unreachable(server, name)
      return answer.content
    }
    return {
      open: (hello, signal) => content({ kind: "open", content: hello.slice() }, signal),
      call: ({ sealed, sessionId, counter }, signal) =>
        content({ kind: "call", content: sealed.slice(), sessionId, counter }, signal),
      roster: (signal) => content({ kind: "roster" }, signal),
      status: async (signal) => {
        const answer = await ask({ kind: "status" }, signal)
        if (answer.kind !== "status") throw unreachable(server, name)
        return answer.status
      },
      close: () => undefined,
    }
  }

  /** Resolves with the first answer that comes back, if any does while somebody waits. */
  #exchange(asked: Asked, signal: AbortSignal): Promise<WireAnswer> {
    const { clock } = this.#around
    const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>()
    const over = new AbortController()
    const onAbort = (): void => reject(new LockKeeperError("cancelled", "The call was cancelled."))
    if (signal.aborted) onAbort()
    else signal.addEventListener("abort", onAbort, { once: true })
    void clock.wait(CONNECTION_MS, over.signal).then(() => resolve(BROKEN))
    const { request } = asked
    this.#log(asked, request.kind, "content" in request ? request.content : EMPTY)
    for (const delivery of this.relay.onRequest(asked)) {
      void this.#carry(asked, delivery, resolve).catch(reject)
    }
    return promise.finally(() => {
      over.abort(OVER)
      signal.removeEventListener("abort", onAbort)
    })
  }

  /** One request there and its answer back, as far as each gets. */
  async #carry(
    asked: Asked,
    delivery: Delivery,
    told: (answer: WireAnswer) => void,
  ): Promise<void> {
    const { actor } = asked
    const { server, request, laterMs = 0 } = delivery
    const { randomness } = this.#around
    if (!(await this.#underWay(asked, server, "requests", laterMs))) return
    const { duplicate } = this.faults.of(actor, server, "requests")
    if (randomness.chance(duplicate)) void this.#repeat(asked, server, request)
    const answer = await this.#reach(asked, server, request)
    if (!(await this.#underWay(asked, server, "answers", 0))) return
    const shown = this.relay.onAnswer(asked, delivery, answer)
    if (shown === null) return this.#log(asked, "withheld", EMPTY)
    this.#log(asked, `${request.kind}-${shown.kind}`, contentOf(shown))
    told(shown)
  }

  /** The same request once more, a while later; what is answered then, nobody hears. */
  async #repeat(asked: Asked, server: Identifier, request: WireRequest): Promise<void> {
    this.#log(asked, "duplicated", EMPTY)
    const arrived = await this.#underWay(asked, server, "requests", 0)
    if (arrived) await this.#reach(asked, server, request)
  }

  /** False when the message is lost on the way. */
  async #underWay(
    asked: Asked,
    server: Identifier,
    direction: Direction,
    laterMs: number,
  ): Promise<boolean> {
    const { clock, randomness } = this.#around
    const { actor } = asked
    const { drop, reorder, maxDelayMs } = this.faults.of(actor, server, direction)
    const longest = Math.max(1, maxDelayMs)
    let delayMs = laterMs + 1 + randomness.below(longest)
    if (randomness.chance(reorder)) {
      delayMs += randomness.below(REORDER_FACTOR * longest)
      this.#log(asked, `${direction}-held-back`, EMPTY)
    }
    const lost = randomness.chance(drop)
    if (!lost) await clock.wait(delayMs)
    if (!lost && !this.faults.isCut(actor, server, direction)) return true
    this.#log(asked, lost ? `${direction}-lost` : `${direction}-cut`, EMPTY)
    return false
  }

  /** What the server's process answers, if there is one and it lives to. */
  async #reach({ actor }: Asked, server: Identifier, request: WireRequest): Promise<WireAnswer> {
    const process = this.#around.running(server)
    if (process === null) return BROKEN
    const { promise: broken, resolve } = Promise.withResolvers<WireAnswer>()
    const onGone = (): void => resolve(BROKEN)
    process.gone.addEventListener("abort", onGone, { once: true })
    try {
      const answer = await Promise.race([answerOf(process.endpoint, actor, request), broken])
      if (answer.kind !== "broken") this.#observe(process, actor, server, request, answer)
      return answer
    } catch (error) {
      // No peer's input may come this far: whoever judges the run has to hear of it.
      const time = this.#around.clock.now()
      this.#around.observations.bugs.push({ server, time, error })
      return BROKEN
    } finally {
      process.gone.removeEventListener("abort", onGone)
    }
  }

  #observe(
    { number: process }: RunningProcess,
    actor: string,
    server: Identifier,
    { kind: what }: WireRequest,
    answer: WireAnswer,
  ): void {
    if (what !== "open" && what !== "call") return
    const { clock, observations, commitsOf } = this.#around
    const refused = answer.kind === "refusal" ? answer.error.code : null
    const [time, commits] = [clock.now(), commitsOf(server)]
    observations.answers.push({ server, process, time, actor, what, refused, commits })
  }

  #log({ actor, server }: Asked, what: string, content: Bytes): void {
    const { clock, trace } = this.#around
    trace.add({ time: clock.now(), actor, server, what, content })
  }
}

function contentOf(answer: WireAnswer): Bytes {
  if (answer.kind === "answer") return answer.content
  return answer.kind === "refusal" ? encode(errorBody, answer.error) : EMPTY
}

async function answerOf(
  endpoint: Endpoint,
  source: string,
  request: WireRequest,
): Promise<WireAnswer> {
  try {
    switch (request.kind) {
      case "open":
        return { kind: "answer", content: await endpoint.open(source, request.content) }
      case "call": {
        const { sessionId, counter, content: sealed } = request
        const content = await endpoint.call(source, { sessionId, counter, sealed })
        return { kind: "answer", content }
      }
      case "roster":
        return { kind: "answer", content: encodeRosterChain(endpoint.rosterChain()) }
      case "status":
        return { kind: "status", status: { ...endpoint.health(), ...endpoint.version() } }
    }
  } catch (error) {
    if (!(error instanceof LockKeeperError)) throw error
    return { kind: "refusal", error: error.toBody(endpoint.health().server) }
  }
}

function unreachable(server: Identifier, name: string): LockKeeperError {
  return new LockKeeperError("unavailable", `Server "${name}" cannot be reached.`, { server })
}

/** As a client's platform reads it: whose refusal it is follows from whom was asked. */
function refusal(server: Identifier, body: Parameters<typeof LockKeeperError.fromBody>[0]) {
  return LockKeeperError.fromBody({ ...body, server })
}
