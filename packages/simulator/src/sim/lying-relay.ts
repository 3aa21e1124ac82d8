import type { Identifier } from "@lockkeeper/crypto"
import {
  type Asked,
  type Delivery,
  forgedRefusal,
  honestRelay,
  type Relay,
  type WireAnswer,
  type WireRequest,
} from "../world/relay.ts"
import type { Dice } from "./plan.ts"

/** Requests and answers it remembers to repeat them later. */
const MEMORY = 64

/** Whatever a machine can do that stands in the middle and has terminated TLS, at random. */
export class LyingRelay implements Relay {
  readonly #servers: readonly Identifier[]
  readonly #dice: Dice
  readonly #requests: Delivery[] = []
  readonly #answers: WireAnswer[] = []

  constructor(servers: readonly Identifier[], dice: Dice) {
    this.#servers = servers
    this.#dice = dice
  }

  onRequest(asked: Asked): readonly Delivery[] {
    const honest = honestRelay.onRequest(asked)
    this.#requests.push(...honest.slice(0, MEMORY - this.#requests.length))
    const { server, request } = asked
    switch (this.#dice.weighted({ pass: 70, lose: 5, twice: 5, alter: 5, elsewhere: 5, old: 10 })) {
      case "pass":
        return honest
      case "lose":
        return []
      case "twice":
        return [...honest, { server, request, laterMs: this.#dice.below(2_000) }]
      case "alter":
        return [{ server, request: this.#altered(request) }]
      case "elsewhere":
        return [{ server: this.#dice.pick(this.#servers), request }]
      case "old":
        return [...honest, this.#dice.pick(this.#requests)]
    }
  }

  onAnswer(asked: Asked, delivery: Delivery, answer: WireAnswer): WireAnswer | null {
    if (this.#answers.length < MEMORY) this.#answers.push(answer)
    switch (this.#dice.weighted({ pass: 85, lose: 5, alter: 4, old: 3, refuse: 3 })) {
      case "pass":
        return honestRelay.onAnswer(asked, delivery, answer)
      case "lose":
        return null
      case "alter":
        return answer.kind === "answer"
          ? { kind: "answer", content: this.#flipped(answer.content) }
          : answer
      case "old":
        return this.#dice.pick(this.#answers)
      case "refuse":
        return forgedRefusal(asked.server, this.#dice.pick(["session-ended", "unavailable"]))
    }
  }

  #altered(request: WireRequest): WireRequest {
    if (request.kind !== "open" && request.kind !== "call") return request
    return { ...request, content: this.#flipped(request.content) }
  }

  #flipped(content: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const flipped = content.slice()
    if (flipped.length === 0) return flipped
    const at = this.#dice.below(flipped.length)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << this.#dice.below(8))
    return flipped
  }
}
