import { type Codec, compareBytes, struct } from "@lockkeeper/encoding"
import {
  openHeader,
  type SignedHeader,
  signedHeaderCodec,
  slotMismatch,
} from "../messages/header.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/**
 * Two different headers that one sender signed for one place. It proves that the sender answered a
 * step twice, which a participant that keeps its state never does.
 */
export interface EquivocationEvidence {
  readonly kind: "equivocation"
  readonly first: SignedHeader
  readonly second: SignedHeader
}

export const equivocationCodec: Codec<Omit<EquivocationEvidence, "kind">> = struct({
  first: signedHeaderCodec,
  second: signedHeaderCodec,
})

/** Evidence from two headers of one slot, in the order of their bytes. */
export function equivocationOf(a: SignedHeader, b: SignedHeader): EquivocationEvidence {
  const inOrder = compareBytes(a.bytes, b.bytes) < 0
  return { kind: "equivocation", first: inOrder ? a : b, second: inOrder ? b : a }
}

export function verifyEquivocation(
  { first, second }: Omit<EquivocationEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const a = openHeader(first, verifyKeys)
  if (!a.ok) return worthless(`first header: ${a.abort.reason}`)
  const b = openHeader(second, verifyKeys)
  if (!b.ok) return worthless(`second header: ${b.abort.reason}`)
  // One order only, so that the same proof is never two pieces of evidence.
  const order = compareBytes(first.bytes, second.bytes)
  if (order === 0) return worthless("the headers are the same")
  if (order > 0) return worthless("the headers are not in the order of their bytes")
  if (a.value.sender !== b.value.sender) return worthless("the headers have different senders")
  if (slotMismatch(a.value, b.value)) return worthless("the headers belong to different slots")
  return culprit(a.value.sender, "equivocation")
}
