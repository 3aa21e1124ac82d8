import { type Group, groupByName, Secret } from "@lockkeeper/crypto"
import { type Bytes, type Codec, fixedBytes } from "@lockkeeper/encoding"
import { type Mutant, mutantsOf } from "../mutations.ts"
import { decodedOrNull } from "./decoded.ts"
import type { Shared } from "./sharings.ts"

/** A participant's shares with one of them changed. */
export interface OtherShares {
  readonly field: string
  readonly mutation: Mutant["mutation"]
  readonly shares: readonly Secret[]
}

/** What a participant may compute from in place of its shares: any scalars. */
export function* otherShares(
  name: string,
  batch: readonly Shared[],
  holder: number,
): Iterable<OtherShares> {
  const own = batch.map(({ shares }) => shares.get(holder)!.expose())
  for (const [index, { sharing, shares }] of batch.entries()) {
    const group = groupByName(sharing.group)
    const other = [...shares].find(([one]) => one !== holder)
    const mutants = mutantsOf({
      ...{ name: `${name}/held/${holder}/${index}`, group },
      ...{ codec: fixedBytes(32) as Codec<unknown>, encoded: own[index] as Bytes },
      ...(other && { participants: other[1].expose() as Bytes }),
    }).filter(({ encoded }) => isScalar(group, encoded))
    for (const { mutation, encoded } of mutants) {
      const changed = own.map((share, i) => Secret.copyOf(i === index ? encoded : share))
      yield { field: `held.${index}`, mutation, shares: changed }
    }
  }
}

function isScalar(group: Group, raw: Bytes): boolean {
  return decodedOrNull(group.scalar, raw) !== null
}
