import { type Identifier, sha256 } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { MAX_EVIDENCE_SEEN, MAX_EVIDENCE_WAITING } from "./limits.ts"

/** Evidence, and whom it is about: the culprit, or the two of which one is. */
export interface Piece {
  readonly evidence: Bytes
  readonly servers: readonly Identifier[]
}

/** Hands a piece of evidence to the servers. Resolves however that ends. */
export type Reporter = (piece: Piece) => Promise<void>

/**
 * Evidence on its way to the servers: each piece once, as soon as somebody is logged in who can report
 * it. Nobody waits for it but a logout. Bounded: what comes when too much waits is dropped, and found
 * again when the culprit goes on.
 */
export class EvidenceOutbox {
  readonly #seen = new Set<string>()
  #waiting: Piece[] = []
  readonly #reporters = new Set<Reporter>()
  readonly #sending = new Set<Promise<void>>()

  add(piece: Piece): void {
    const name = toHex(sha256(piece.evidence))
    if (this.#seen.has(name) || this.#waiting.length >= MAX_EVIDENCE_WAITING) return
    this.#seen.add(name)
    const [oldest] = this.#seen
    if (this.#seen.size > MAX_EVIDENCE_SEEN && oldest !== undefined) this.#seen.delete(oldest)
    this.#waiting.push(piece)
    this.#flush()
  }

  attach(reporter: Reporter): void {
    this.#reporters.add(reporter)
    this.#flush()
  }

  detach(reporter: Reporter): void {
    this.#reporters.delete(reporter)
  }

  /** When what is being reported now has arrived, or could not. */
  async settled(): Promise<void> {
    await Promise.all(this.#sending)
  }

  #flush(): void {
    const [reporter] = this.#reporters
    if (reporter === undefined) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const piece of waiting) {
      const sending = reporter(piece).finally(() => this.#sending.delete(sending))
      this.#sending.add(sending)
    }
  }
}
