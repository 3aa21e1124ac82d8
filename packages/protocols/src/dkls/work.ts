import { type Bytes, decode } from "@lockkeeper/encoding"
import { framedCodec } from "./frame.ts"
import { presignWork } from "./presign/work.ts"
import { setupWork } from "./setup/work.ts"

/**
 * The heavy part of a step of setup or presigning: a pure function of bytes, to be run in a worker
 * thread. Task and result hold secrets; both belong to the caller, who wipes them.
 */
export function work(task: Bytes): Bytes {
  const { protocol, body } = decode(framedCodec, task)
  const result = protocol === "setup" ? setupWork(body) : presignWork(body)
  body.fill(0)
  return result
}
