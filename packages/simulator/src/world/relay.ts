import { type ErrorBody, LockKeeperError } from "@lockkeeper/api"
import type { ServerStatus } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"

/** What a client asks of a server, as whoever terminates TLS sees it. */
export type WireRequest =
  | { readonly kind: "open"; readonly content: Bytes }
  | {
      readonly kind: "call"
      readonly content: Bytes
      readonly sessionId: Bytes
      readonly counter: number
    }
  | { readonly kind: "roster" | "status" }

/** What comes back. */
export type WireAnswer =
  | { readonly kind: "answer"; readonly content: Bytes }
  | { readonly kind: "status"; readonly status: ServerStatus }
  /** A refusal that no session carries. */
  | { readonly kind: "refusal"; readonly error: ErrorBody }
  /** Nobody listens, or the connection broke. */
  | { readonly kind: "broken" }

/** A request on its way to one server. */
export interface Delivery {
  readonly server: Identifier
  readonly request: WireRequest
  /** After how much longer than the others, milliseconds. */
  readonly laterMs?: number
}

/** Who asked whom for what. */
export interface Asked {
  readonly actor: string
  readonly server: Identifier
  readonly request: WireRequest
}

/**
 * Whoever stands between clients and servers and terminates TLS. It sees every frame and may alter,
 * repeat, misdirect, hold back or invent any. Of the answers that reach the client the first counts.
 */
export interface Relay {
  /** What is sent on, and to whom; nothing at all where the list is empty. */
  onRequest(asked: Asked): readonly Delivery[]
  /** What the client is told; null for nothing. */
  onAnswer(asked: Asked, delivery: Delivery, answer: WireAnswer): WireAnswer | null
}

/** Passes everything on as it is. */
export const honestRelay: Relay = {
  onRequest: ({ server, request }) => [{ server, request }],
  onAnswer: (_asked, _delivery, answer) => answer,
}

/** A refusal that the relay makes up in a server's name. */
export function forgedRefusal(server: Identifier, code: LockKeeperError["code"]): WireAnswer {
  const error = new LockKeeperError(code, "The server refuses.").toBody(server)
  return { kind: "refusal", error }
}
