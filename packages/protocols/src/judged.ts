import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, decode } from "@lockkeeper/encoding"
import { BROADCAST, type Header } from "./messages/header.ts"
import type { AbortReason } from "./outcome.ts"

/** What a sender signed, judged by public values alone: right, or what its sender did wrong. */
export type Judged<T> =
  | { readonly ok: true; readonly payload: T }
  | { readonly ok: false; readonly reason: AbortReason; readonly field: string }

export function right<T>(payload: T): Judged<T> {
  return { ok: true, payload }
}

export function wrong(reason: AbortReason, field: string): Judged<never> {
  return { ok: false, reason, field }
}

export function judgeForm<T>(codec: Codec<T>, bytes: Bytes): Judged<T> {
  try {
    return right(decode(codec, bytes))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return wrong("malformed-payload", error.path)
  }
}

/** Whether a header names a part for each recipient and for nobody else. */
export function hasParts(header: Header, recipients: readonly Identifier[]): boolean {
  const expected = [BROADCAST, ...recipients]
  return header.parts.size === expected.length && expected.every((r) => header.parts.has(r))
}

/** Whether a map has exactly these keys. */
export function hasKeys(
  map: ReadonlyMap<Identifier, unknown>,
  keys: readonly Identifier[],
): boolean {
  return map.size === keys.length && keys.every((key) => map.has(key))
}
