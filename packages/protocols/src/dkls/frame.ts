import { bytes, type Codec, oneOf, struct } from "@lockkeeper/encoding"
import { TASK_MAX } from "./limits.ts"

/** Which protocol a task is a step of. */
export interface Framed {
  readonly protocol: "setup" | "presign"
  readonly body: Uint8Array<ArrayBuffer>
}

export const framedCodec: Codec<Framed> = struct<Framed>({
  protocol: oneOf("setup", "presign"),
  body: bytes(2 * TASK_MAX),
})
