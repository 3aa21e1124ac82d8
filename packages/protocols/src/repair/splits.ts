import type { Element, Identifier } from "@lockkeeper/crypto"
import { decode } from "@lockkeeper/encoding"
import type { Statement } from "../messages/statement.ts"
import type { Dealt } from "../reshare/checks.ts"
import type { RepairParams } from "./params.ts"
import { splitPayloadCodec } from "./payloads.ts"

/** What all helpers published for the key at `index`. */
export function imagesAt(
  splits: ReadonlyMap<Identifier, Dealt>,
  index: number,
): Map<Identifier, readonly Element[]> {
  return new Map([...splits].map(([helper, split]) => [helper, split[index]!]))
}

/** The own split, whose elements this participant made itself. */
export function ownSplit(params: RepairParams, { broadcast }: Statement): Dealt {
  return decode(splitPayloadCodec(params), broadcast) as Dealt
}
