import { edwards25519, type Group, ristretto255, secp256k1 } from "@lockkeeper/crypto"
import { nobleGroups } from "../packages/crypto/test/noble-groups.ts"
import type { Bench } from "./bench.ts"
import { quantile, sample } from "./measure.ts"

/** Our backends beside noble's, through the same interface with the same checks. */
export const bench: Bench = {
  name: "groups",
  async run(report) {
    for (const group of [edwards25519, ristretto255, secp256k1]) {
      const noble = nobleGroups[group.name]
      for (const operation of ["multiplyBase", "multiply"] as const) {
        report({
          name: `${group.name}-${operation}-p50`,
          value: await medianUs(group, operation),
          unit: "us",
          baseline: { name: "noble", value: await medianUs(noble, operation) },
          target: { of: "ratio", is: "at most", bound: 1 },
          consistsOf: `${group.backend}: one scalar multiplication of canonical bytes`,
        })
      }
    }
  },
}

async function medianUs(group: Group, operation: "multiplyBase" | "multiply"): Promise<number> {
  const scalars = Array.from({ length: 64 }, (_, index) =>
    group.scalarFromUniform(
      Uint8Array.from({ length: 64 }, (_, at) => (index * 67 + at * 13) % 256),
    ),
  )
  const point = group.multiplyBase(scalars[0] as (typeof scalars)[0])
  const run = (index: number) => {
    const scalar = scalars[index % scalars.length] as (typeof scalars)[0]
    return operation === "multiply" ? group.multiply(point, scalar) : group.multiplyBase(scalar)
  }
  return quantile(await sample(run, { warmup: 60, count: 300 }), 0.5) * 1000
}
