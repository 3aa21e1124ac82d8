import { type Bytes, toHex } from "@lockkeeper/encoding"
import { check, type Fault, type FaultKind } from "./check.ts"
import type { Decoder } from "./decoder.ts"
import { Dice } from "./dice.ts"
import { minimise } from "./minimise.ts"
import { inputFor, type Origin } from "./mutate.ts"

/** Most faults of one decoder that are minimised and told; the rest is counted. */
const MAX_TOLD = 3

/** Fewest frames that every decoder gets, however little weight it has. */
const FEWEST = 20

export interface Failure extends Fault {
  readonly decoder: string
  readonly input: Bytes
}

/** What happened to one decoder. */
export interface Tally {
  readonly decoder: string
  readonly frames: number
  /** Of how many inputs of each origin, and how many of them were taken. */
  readonly inputs: Readonly<Record<Origin, number>>
  readonly accepted: Readonly<Record<Origin, number>>
  readonly slowestMs: number
  readonly totalMs: number
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly failures: readonly Failure[]
}

/** How many frames each decoder gets of `frames`, by weight. */
export function share(decoders: readonly Decoder[], frames: number): readonly number[] {
  const total = decoders.reduce((sum, { weight }) => sum + weight, 0)
  const fewest = Math.min(FEWEST, Math.floor(frames / decoders.length))
  const rest = frames - fewest * decoders.length
  const shares = decoders.map(({ weight }) => fewest + Math.floor((rest * weight) / total))
  // What rounding left goes to the first ones.
  let left = frames - shares.reduce((sum, n) => sum + n, 0)
  return shares.map((n) => (left-- > 0 ? n + 1 : n))
}

/** Feeds one decoder its samples first, then changed and arbitrary inputs, all from the seed. */
export async function fuzz(decoder: Decoder, frames: number, seed: string): Promise<Tally> {
  const dice = new Dice("inputs", seed, decoder.name)
  const inputs = { valid: 0, changed: 0, random: 0 }
  const accepted = { valid: 0, changed: 0, random: 0 }
  const faults = { crash: 0, hang: 0, "two-encodings": 0, allocation: 0 }
  const failures: Failure[] = []
  let [slowestMs, totalMs] = [0, 0]
  for (let frame = 0; frame < frames; frame++) {
    const sample = decoder.samples[frame]
    const { origin, bytes } =
      sample === undefined
        ? inputFor(decoder, dice)
        : { origin: "valid" as const, bytes: sample.slice() }
    const { fault, milliseconds, ...checked } = await check(decoder, bytes)
    inputs[origin]++
    if (checked.accepted) accepted[origin]++
    totalMs += milliseconds
    slowestMs = Math.max(slowestMs, milliseconds)
    if (fault === null) continue
    faults[fault.kind]++
    if (failures.length >= MAX_TOLD) continue
    const input = await minimise(decoder, bytes, fault.kind)
    failures.push({ decoder: decoder.name, ...fault, input })
  }
  const { name } = decoder
  return { decoder: name, frames, inputs, accepted, slowestMs, totalMs, faults, failures }
}

/** What a person needs to see a failure again. */
export function describe({ decoder, kind, message, input }: Failure): string {
  const where = message.split("\n").slice(0, 6).join("\n    ")
  const hex = toHex(input.subarray(0, 4096))
  return [
    `${kind} in ${decoder}: ${where}`,
    `  input (${input.length} bytes): ${hex}${input.length > 4096 ? "..." : ""}`,
    `  again: npm run fuzz -- --decoder '${decoder}' --input ${hex}`,
  ].join("\n")
}
