/** What a client can check of one server's answer before it compares it with the others'. */
import type { Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  fixedBytes,
  list,
  struct,
  toHex,
  u32,
} from "@lockkeeper/encoding"
import type { Evidence } from "../evidence/evidence.ts"
import { LIMITS } from "../messages/limits.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import {
  type EvaluationStatement,
  evaluationFault,
  evaluationSigned,
  type LoginResponse,
  loginResponseCodec,
  statementOf,
} from "./evaluation.ts"
import type { Ke2 } from "./key-exchange.ts"
import { ELEMENT_LENGTH } from "./labels.ts"
import type { LoginState } from "./login.ts"
import { type Stretching, stretchingCodec } from "./stretching.ts"

/** An answer that its server signed for this KE1, account and roster. */
export interface Examined {
  readonly ke2: Ke2
  readonly statement: EvaluationStatement
  readonly signature: Bytes
}

/** What proves that the author of an answer evaluated wrongly, by its own vector. */
export function evidenceOf({ statement, signature }: Omit<Examined, "ke2">): Evidence {
  return { kind: "opaque-evaluation", statement, signature }
}

/**
 * Decodes one answer and checks that its author signed it for this login. What is wrong here a relay
 * may have caused, so nobody is named but for a proof that fails for a vector of the wrong length.
 */
export function examine(
  { plan, openings }: LoginState,
  identifier: Identifier,
  encoded: Bytes,
): Outcome<Examined> {
  const opening = openings.get(identifier)
  const verifyKey = plan.verifyKeys.get(identifier)
  if (!opening || !verifyKey) return abort("unknown-sender")
  let response: LoginResponse
  try {
    response = decode(loginResponseCodec, encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return abort("malformed-payload", { field: error.path })
  }
  const { frame, ke2 } = response
  if (frame.identifier !== identifier) return abort("unknown-sender", { field: "frame.identifier" })
  const statement = statementOf(response, opening.ke1, plan.accountId)
  if (!evaluationSigned(verifyKey, statement, frame.signature)) return abort("wrong-signature")
  if (frame.rosterEpoch !== plan.rosterEpoch) return abort("wrong-roster-epoch")
  const { signature, vector } = frame
  const thresholds = plan.thresholds?.get(identifier) ?? [plan.minSigners]
  if (thresholds.includes(vector.length)) return done({ ke2, statement, signature })
  if (evaluationFault(statement) === null) return abort("wrong-vector-length")
  const evidence = [evidenceOf({ statement, signature })]
  return abort("wrong-evaluation", { culprits: [identifier], evidence })
}

interface Agreement {
  readonly shownVersion: number
  readonly stretching: Stretching
  readonly vector: readonly Bytes[]
}

const agreementCodec: Codec<Agreement> = struct<Agreement>({
  shownVersion: u32,
  stretching: stretchingCodec,
  vector: list(fixedBytes(ELEMENT_LENGTH), LIMITS.participants),
})

/**
 * The answers that agree on version, stretching and vector, if at least as many do as the vector is
 * long: then an honest server is among them. Of two such groups the later version counts, so that
 * servers which missed a password change do not bring the old password back.
 */
export function agreeing(examined: ReadonlyMap<Identifier, Examined>): {
  readonly group: ReadonlyMap<Identifier, Examined>
  readonly others: readonly Identifier[]
} {
  const groups = new Map<string, Map<Identifier, Examined>>()
  for (const [identifier, answer] of examined) {
    const key = toHex(encode(agreementCodec, answer.statement))
    const group = groups.get(key) ?? new Map<Identifier, Examined>()
    groups.set(key, group.set(identifier, answer))
  }
  // The encoding starts with the version, big-endian: the greatest key is the latest version.
  const [group = new Map<Identifier, Examined>()] = [...groups]
    .filter(([, members]) => members.size >= thresholdOf(members))
    .sort(([a], [b]) => (a < b ? 1 : -1))
    .map(([, members]) => members)
  return { group, others: [...examined.keys()].filter((identifier) => !group.has(identifier)) }
}

/** All of them agree on the vector: it is as long as many servers its shares take. */
function thresholdOf(members: ReadonlyMap<Identifier, Examined>): number {
  const [any] = members.values()
  return any === undefined ? Number.POSITIVE_INFINITY : any.statement.vector.length
}
