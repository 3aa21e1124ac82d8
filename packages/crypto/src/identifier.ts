import { type Codec, mapped, u16 } from "@lockkeeper/encoding"

/** A participant's number, 1 to 65 535: where its share lies on the polynomial, so never zero. */
export type Identifier = number

/** Two bytes; zero is refused. */
export const identifierCodec: Codec<Identifier> = mapped(
  u16,
  (identifier: Identifier) => {
    if (identifier === 0) throw new RangeError("identifier is zero")
    return identifier
  },
  (raw, fail) => (raw === 0 ? fail("identifier is zero") : raw),
)

/** @throws RangeError unless `identifier` is a whole number of 1 to 65 535. */
export function assertIdentifier(identifier: Identifier): void {
  if (!Number.isInteger(identifier) || identifier < 1 || identifier > 0xffff) {
    throw new RangeError(`identifier ${identifier} is not in 1 to 65535`)
  }
}
