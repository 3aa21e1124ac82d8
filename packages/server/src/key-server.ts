import type { Bytes } from "@lockkeeper/encoding"
import { edwards25519, ristretto255, secp256k1 } from "@lockkeeper/crypto"
import type { Dependencies } from "./ports/dependencies.ts"
import { handleCall } from "./request/handle-call.ts"
import { openSession, SeenHellos } from "./request/open-session.ts"
import { dropExpiredAnswers } from "./request/answers.ts"
import { Sessions } from "./request/sessions.ts"
import type { ServerSelf } from "./self.ts"

/**
 * One key server without a transport: bytes in, bytes out. The HTTP adapter and the simulator call
 * the same four methods.
 */
export class KeyServer {
  readonly self: ServerSelf
  readonly #deps: Dependencies
  readonly #sessions = new Sessions()
  readonly #seen = new SeenHellos()

  constructor(self: ServerSelf, deps: Dependencies) {
    this.self = self
    this.#deps = deps
  }

  /** @throws LockKeeperError for refusals that no session can carry. */
  open(hello: Bytes): Promise<Bytes> {
    return openSession(this.self, this.#deps, this.#sessions, this.#seen, hello)
  }

  /** @throws LockKeeperError for refusals that no session can carry. */
  call(frame: { sessionId: Bytes; counter: number; sealed: Bytes }): Promise<Bytes> {
    return handleCall(this.self, this.#deps, this.#sessions, frame)
  }

  now(): number {
    return this.#deps.clock.now()
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  backends(): string[] {
    return [secp256k1, edwards25519, ristretto255].map((g) => `${g.name}: ${g.backend}`)
  }

  /** Housekeeping, to be called about once a minute. */
  async tidy(): Promise<void> {
    await dropExpiredAnswers(this.#deps.store, this.#deps.clock.now())
  }

  /** Ends every session and wipes what is secret in memory. */
  stop(): void {
    this.#sessions.endAll()
    this.self.channelSecret.wipe()
    this.self.enumerationSeed.wipe()
    this.self.opaqueSecret.fill(0)
  }
}
