import { type KeyState, keyListing, LockKeeperError, showKeyBody } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { putKeyState, readKey } from "../keys.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** From which states a key gets into another one (NIST SP 800-57 Part 1 Section 7): never back from the last. */
const FROM: Readonly<Record<"suspended" | "active" | "deactivated", readonly KeyState[]>> = {
  suspended: ["active", "suspended"],
  active: ["suspended", "active"],
  deactivated: ["active", "suspended", "deactivated"],
}

/** Puts a key into a state, at this server; once more changes nothing. Answers its listing. */
function changeKeyState(to: keyof typeof FROM): OwnerOperationStep {
  return async (step) => {
    onlyStep(step)
    const { keyId } = decodeAs("body", showKeyBody, step.request.body)
    const { accountId } = step.request
    const key = await readKey(step.deps.store, accountId, keyId)
    using _share = key.value.keyPackage.signingShare
    const { state } = key.value
    if (!FROM[to].includes(state)) {
      throw new LockKeeperError("permission-denied", `The key is ${state}, and stays so.`, {
        field: "keyId",
        remedy: "Make a new key.",
      })
    }
    const { listing, changes } = await putKeyState(step.deps.store, key, to)
    return {
      output: encode(keyListing, listing),
      changes,
      event: step.event({ keyId, note: `${state} to ${to}` }),
    }
  }
}

export const suspendKey = changeKeyState("suspended")
export const resumeKey = changeKeyState("active")
export const deactivateKey = changeKeyState("deactivated")
