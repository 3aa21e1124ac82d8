import type { Bytes } from "@lockkeeper/encoding"

/**
 * The heavy part of a step of setup or presigning: a pure function of bytes, to be run in a worker
 * thread. Task and result hold secrets; both belong to the caller, who wipes them.
 */
export function work(_task: Bytes): Bytes {
  throw new Error("not implemented")
}
