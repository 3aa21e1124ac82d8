import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, bytes, type Codec, decode, list, struct, u8 } from "@lockkeeper/encoding"
import { headerCodec } from "../../messages/header.ts"
import type { Message } from "../../messages/message.ts"
import { type Statement, statementsCodec } from "../../messages/statement.ts"
import { presignatureRecordCodec } from "../codec.ts"
import { maxBatch, TASK_MAX } from "../limits.ts"
import type { PresignatureRecord, PresignStep } from "../types.ts"
import { type Payloads, payloadsCodec } from "./task.ts"

export type Statements = ReadonlyMap<Identifier, Statement>

/** What a signer remembers of a run beside its secrets: what was said, and the payloads behind it. */
export interface PresignTrail {
  /** The last step that was answered. */
  readonly step: PresignStep
  readonly opens: Statements
  readonly exchanges: Statements
  readonly publishes: Statements
  readonly exchanged: Payloads
  readonly published: Payloads
  readonly records: readonly PresignatureRecord[]
  /** The own confirmation, at step 4. */
  readonly confirmation: Bytes
}

export const presignTrailCodec: Codec<PresignTrail> = struct<PresignTrail>({
  step: u8 as Codec<PresignStep>,
  opens: statementsCodec,
  exchanges: statementsCodec,
  publishes: statementsCodec,
  exchanged: payloadsCodec,
  published: payloadsCodec,
  records: list(presignatureRecordCodec, maxBatch(2)),
  confirmation: bytes(64),
})

export const NO_TRAIL: Omit<PresignTrail, "step"> = {
  opens: new Map(),
  exchanges: new Map(),
  publishes: new Map(),
  exchanged: new Map(),
  published: new Map(),
  records: [],
  confirmation: new Uint8Array(0),
}

/** What `state` is: opaque to everyone else, and a secret. */
export interface PresignState {
  readonly trail: Bytes
  readonly secret: Bytes
}

export const presignStateCodec: Codec<PresignState> = struct<PresignState>({
  trail: bytes(TASK_MAX),
  secret: bytes(TASK_MAX),
})

/** The public halves of messages that were checked before. */
export function statementsIn(messages: readonly Message[]): Map<Identifier, Statement> {
  return new Map(
    messages.map(({ header, broadcast }) => [
      decode(headerCodec, header.bytes).sender,
      { header, broadcast },
    ]),
  )
}

/** Both, in ascending order of sender. */
export function joined<T>(
  a: ReadonlyMap<Identifier, T>,
  b: ReadonlyMap<Identifier, T>,
): ReadonlyMap<Identifier, T> {
  return new Map([...a, ...b].sort(([left], [right]) => left - right))
}
