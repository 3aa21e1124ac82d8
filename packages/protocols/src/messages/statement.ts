import type { Identifier } from "@lockkeeper/crypto"
import { identifierCodec } from "@lockkeeper/crypto"
import { type Bytes, bytes, type Codec, numberMap, struct } from "@lockkeeper/encoding"
import type { Outcome } from "../outcome.ts"
import { type SignedHeader, signedHeaderCodec } from "./header.ts"
import { LIMITS } from "./limits.ts"
import { openMessage, type Received } from "./message.ts"

/** The public half of a message: what its sender said to everyone, with the signed header. */
export interface Statement {
  readonly header: SignedHeader
  readonly broadcast: Bytes
}

export const statementCodec: Codec<Statement> = struct<Statement>({
  header: signedHeaderCodec,
  broadcast: bytes(LIMITS.broadcast),
})

export const statementsCodec: Codec<ReadonlyMap<Identifier, Statement>> = numberMap(
  identifierCodec,
  statementCodec,
  LIMITS.participants,
)

export function statementOf(received: Received): Statement {
  return { header: received.signed, broadcast: received.broadcast }
}

export function statementsOf(
  received: ReadonlyMap<Identifier, Received>,
): Map<Identifier, Statement> {
  return new Map([...received].map(([sender, message]) => [sender, statementOf(message)]))
}

/** Checks the signature and the broadcast, as `openMessage` does. */
export function openStatement(
  statement: Statement,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<Received> {
  return openMessage({ ...statement, sealed: new Map() }, verifyKeys, "some-parts")
}
