import { charterShown } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { charterCodec } from "@lockkeeper/policy"
import { readCharter } from "../policies/charters.ts"
import type { AccountOperationStep } from "../request/step.ts"
import { noBody, onlyStep } from "./steps.ts"

/** The charter in force here, or that there is none. */
export const showPolicy: AccountOperationStep = async (step) => {
  onlyStep(step)
  noBody(step)
  const charter = await readCharter(step.deps.store, step.account.value)
  return {
    output: encode(charterShown, charter === null ? null : encode(charterCodec, charter)),
    changes: [],
    event: step.event(),
  }
}
