import { type Bytes, type Codec, struct } from "@lockkeeper/encoding"
import { signatureCodec } from "../messages/signature.ts"
import {
  type EvaluationStatement,
  evaluationFault,
  evaluationSigned,
  evaluationStatementCodec,
} from "../opaque/evaluation.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/**
 * A login evaluation that its server signed and that is wrong by the server's own commitments. It
 * shows a blinded password, which tells nothing about the password.
 */
export interface OpaqueEvaluationEvidence {
  readonly kind: "opaque-evaluation"
  readonly statement: EvaluationStatement
  readonly signature: Bytes
}

export const opaqueEvaluationCodec: Codec<Omit<OpaqueEvaluationEvidence, "kind">> = struct({
  statement: evaluationStatementCodec,
  signature: signatureCodec,
})

export function verifyOpaqueEvaluation(
  { statement, signature }: Omit<OpaqueEvaluationEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const verifyKey = verifyKeys.get(statement.identifier)
  if (!verifyKey) return worthless("no identity key for this identifier")
  if (!evaluationSigned(verifyKey, statement, signature)) {
    return worthless("the signature is not of this identity over this statement")
  }
  if (evaluationFault(statement) === null) return worthless("the evaluation is right")
  return culprit(statement.identifier, "wrong-evaluation")
}
