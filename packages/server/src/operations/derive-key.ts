import { deriveBody, LockKeeperError } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type ChildPath, deriveChild, type PublicKeyPackage } from "@lockkeeper/protocols"
import { checkPath, register } from "../children.ts"
import { checkUsable, readKey } from "../keys.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

const NOTHING = new Uint8Array(0)

/** Registers a child of a key. The key's shares serve for it; nothing is generated. */
export const deriveKey: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { keyId, path } = decodeAs("body", deriveBody, step.request.body)
  checkPath(path)
  const { value: row, version } = await readKey(step.deps.store, step.request.accountId, keyId)
  using _share = row.keyPackage.signingShare
  await checkUsable(step, row)
  checkExists(row.keyPackage.public, path)
  const changes = await register(step.deps.store, keyId, path)
  return {
    output: NOTHING,
    changes: [...changes, { kind: "expect", table: "keys", id: toHex(keyId), version }],
    event: step.event({ keyId }),
  }
}

/** BIP32 leaves out numbers whose child would not be a key: one in 2^127. */
function checkExists(pkg: PublicKeyPackage, path: ChildPath): void {
  try {
    deriveChild(pkg, path)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new LockKeeperError("invalid-request", "There is no child of these numbers.", {
      field: "body.path",
      remedy: "Use the next number.",
      cause: error,
    })
  }
}
