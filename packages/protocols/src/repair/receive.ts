import {
  type Element,
  groupByName,
  type Identifier,
  type Scalar,
  type Secret,
} from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Received } from "../messages/message.ts"
import { openFirst } from "../messages/sealing.ts"
import { areShares } from "../reshare/checks.ts"
import { type Complaint, WHOLE_PART } from "../reshare/payloads.ts"
import { SCALAR_LENGTH, scalarAt } from "../sharing/packed.ts"
import { isLogarithm } from "./checks.ts"
import type { RepairParams } from "./params.ts"

/** An opened part of each sender: a scalar for each key, or null when it is none. */
type Parts = ReadonlyMap<Identifier, Bytes | null>

export interface Recipient {
  readonly params: RepairParams
  readonly identifier: Identifier
  readonly sealingSeed: Secret
}

/** What each sender sealed to the recipient, if it opens and is a scalar for each key. */
export function openParts(
  { params, identifier, sealingSeed }: Recipient,
  messages: ReadonlyMap<Identifier, Received>,
): Parts {
  const parts = new Map<Identifier, Bytes | null>()
  for (const [sender, { header, sealed }] of messages) {
    const place = { slot: header, recipient: identifier }
    const opened = openFirst(place, sealingSeed, sealed.get(identifier)!)
    opened?.channel.key.wipe()
    parts.set(sender, opened && areShares(params.groups, opened.payload) ? opened.payload : null)
  }
  return parts
}

/** What scalars and their sums have to be the logarithms of, for the key at `index`. */
export interface Expected {
  sum(index: number): Element | null
  one(sender: Identifier, index: number): Element | null
}

export interface Added {
  /** Null when something is wrong. */
  readonly sums: readonly Scalar[] | null
  /** Who sealed something wrong; none when only the expectations contradict each other. */
  readonly complaints: readonly Complaint[]
}

/**
 * Adds up what was received, key by key. The sum is checked first, single scalars only when it is
 * wrong. Errors that cancel out harm nobody.
 *
 * @param own - what the recipient adds itself, packed; null when nothing.
 */
export function addUp(
  { params }: Recipient,
  parts: Parts,
  own: Secret | null,
  expected: Expected,
): Added {
  const complaints = new Map<Identifier, number>()
  for (const [sender, part] of parts) if (!part) complaints.set(sender, WHOLE_PART)
  const sums: Scalar[] = []
  let contradiction = false
  params.groups.forEach((name, index) => {
    const group = groupByName(name)
    const packed = [...(own ? [own.expose()] : []), ...parts.values()]
    let sum = group.addScalars(group.zero, group.zero)
    for (const scalars of packed) {
      const scalar = scalars && scalarAt(group, scalars, index)
      if (scalar) sum = group.addScalars(sum, scalar)
    }
    sums.push(sum)
    const image = expected.sum(index)
    if (complaints.size === 0 && image && group.equal(group.multiplyBase(sum), image)) return
    for (const [sender, part] of parts) {
      if (!part || complaints.has(sender)) continue
      const scalar = part.slice(index * SCALAR_LENGTH, (index + 1) * SCALAR_LENGTH)
      if (!isLogarithm(group, expected.one(sender, index), scalar)) complaints.set(sender, index)
    }
    if (complaints.size === 0) contradiction = true
  })
  for (const part of parts.values()) part?.fill(0)
  const right = complaints.size === 0 && !contradiction
  const sorted = [...complaints].sort(([a], [b]) => a - b)
  return {
    sums: right ? sums : null,
    complaints: sorted.map(([dealer, index]) => ({ dealer, index })),
  }
}
