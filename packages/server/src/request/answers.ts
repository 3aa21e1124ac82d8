import { LockKeeperError, MAX_STEP, type Request } from "@lockkeeper/api"
import { hashValue } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  nullable,
  struct,
  toHex,
} from "@lockkeeper/encoding"
import type { Change, Store } from "../ports/store.ts"
import type { RecentAnswers } from "./recent-answers.ts"

/** Most rows that one round of housekeeping drops at a time. */
const BATCH = 256

/** What was answered to one step of a request. */
export interface AnswerRow {
  /** 32 bytes over the input. */
  readonly input: Bytes
  /** Null where the process that answered keeps it in its memory alone. */
  readonly output: Bytes | null
}

export const answerRow: Codec<AnswerRow> = struct<AnswerRow>({
  input: fixedBytes(32),
  output: nullable(bytes(MAX_STEP)),
})

/** One step of one request with one input: what a repeat must agree with to be a repeat. */
export interface Question {
  readonly id: string
  /** 32 bytes over the step's input as it came. */
  readonly input: Bytes
}

/**
 * Where the answer to one step of a request is kept, so that a retry gets the same bytes. Named by
 * the digest of the whole request, so that two requests never share an answer. Starts with the
 * request's expiry, after which nobody may ask for it, so that old answers sort first.
 */
export function questionOf(request: Request, digest: Bytes, step: number, input: Bytes): Question {
  const expiry = request.expiresAt.toString(16).padStart(14, "0")
  const id = `${expiry}-${toHex(digest)}-${step}`
  return { id, input: hashValue("step-input", bytes(MAX_STEP), input) }
}

/**
 * @throws LockKeeperError `replayed` when the step was answered for another input; `out-of-order`
 *   when its answer is kept no longer.
 */
export async function readAnswer(
  store: Store,
  recent: RecentAnswers,
  question: Question,
): Promise<Bytes | null> {
  const row = await store.read("answers", question.id)
  if (row === null) return null
  const { input, output } = decode(answerRow, row.value)
  if (!equalBytes(input, question.input)) {
    throw new LockKeeperError("replayed", "This step was answered before, for another input.", {
      field: "input",
      remedy: "Sign a new request.",
    })
  }
  const answer = output ?? recent.find(question.id)
  if (answer !== null) return answer
  throw new LockKeeperError("out-of-order", "This step's answer is kept no longer.", {
    field: "step",
    remedy: "Sign a new request.",
  })
}

/** @param output - null when only the fact is kept that the step was answered. */
export function keepAnswer({ id, input }: Question, output: Bytes | null): Change {
  const value = encode(answerRow, { input, output })
  return { kind: "put", table: "answers", id, ifVersion: "absent", value }
}

/** Drops the answers whose requests expired before `now`. Returns how many. */
export async function dropExpiredAnswers(store: Store, now: number): Promise<number> {
  const limit = now.toString(16).padStart(14, "0")
  for (let dropped = 0; ; ) {
    const oldest = await store.scan("answers", "", "", BATCH)
    const expired = oldest.filter(({ id }) => id.slice(0, 14) < limit)
    if (expired.length > 0) {
      await store.commit(
        expired.map(({ id, version }) => ({ kind: "take", table: "answers", id, version })),
      )
    }
    dropped += expired.length
    if (expired.length < BATCH) return dropped
  }
}
