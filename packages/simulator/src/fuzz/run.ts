import { fromHex } from "@lockkeeper/encoding"
import { allDecoders } from "./all-decoders.ts"
import { describe, type Failure, fuzz, share, type Tally } from "./campaign.ts"
import { check } from "./check.ts"
import { replayCorpus } from "./corpus.ts"
import type { Decoder } from "./decoder.ts"
import type { Inside } from "./inside.ts"

export interface FuzzOptions {
  readonly frames: number
  readonly seed: string
  /** Part of the names of those that are fuzzed. */
  readonly decoder?: string
  /** One input in hexadecimal instead of many. */
  readonly input?: string
  readonly list: boolean
  readonly json: boolean
  readonly root: string
  readonly inside: Inside
}

/** Runs what the options say and prints it; the process's exit code. */
export async function runFuzz(options: FuzzOptions): Promise<number> {
  const { frames, seed, decoder: part = "", json, list, input, root } = options
  const { decoders: all, close } = await allDecoders(options)
  try {
    const exact = all.filter(({ name }) => name === part)
    const decoders = exact.length > 0 ? exact : all.filter(({ name }) => name.includes(part))
    if (decoders.length === 0) {
      console.error(`No decoder's name contains "${part}"; --list names them.`)
      return 2
    }
    if (list) {
      for (const { name, samples } of decoders) console.log(`${name} (${samples.length} samples)`)
      return 0
    }
    if (input !== undefined) return await readOne(decoders, input)
    const corpus = await replayCorpus(root, all, decoders)
    const tallies: Tally[] = []
    const shares = share(decoders, frames)
    for (const [i, decoder] of decoders.entries()) {
      tallies.push(await fuzz(decoder, shares[i] as number, seed))
    }
    return report(tallies, corpus, { seed, json })
  } finally {
    await close()
  }
}

async function readOne(decoders: readonly Decoder[], hex: string): Promise<number> {
  const [decoder, ...others] = decoders
  if (decoder === undefined || others.length > 0) {
    console.error(`--input takes one decoder: ${decoders.map(({ name }) => name).join(", ")}`)
    return 2
  }
  const { accepted, milliseconds, fault } = await check(decoder, fromHex(hex))
  const what =
    fault === null ? (accepted ? "accepted" : "refused") : `${fault.kind}: ${fault.message}`
  console.log(`${decoder.name}: ${what} in ${milliseconds.toFixed(1)} ms`)
  return fault === null ? 0 : 1
}

/** Decoders of which no input at all was taken: what is behind their first check is not tried. */
export function neverAccepted(tallies: readonly Tally[]): readonly string[] {
  return tallies
    .filter(({ accepted }) => accepted.valid + accepted.changed + accepted.random === 0)
    .filter(({ frames }) => frames > 0)
    .map(({ decoder }) => decoder)
}

function report(
  tallies: readonly Tally[],
  corpus: { readonly inputs: number; readonly failures: readonly Failure[] },
  { seed, json }: { readonly seed: string; readonly json: boolean },
): number {
  const sum = (of: (tally: Tally) => number) => tallies.reduce((total, t) => total + of(t), 0)
  const untried = neverAccepted(tallies)
  const slowest = tallies.reduce((a, b) => (b.slowestMs > a.slowestMs ? b : a))
  const changed = sum(({ inputs }) => inputs.changed)
  const totals = {
    decoders: tallies.length,
    corpus: corpus.inputs,
    frames: sum((tally) => tally.frames),
    seed,
    accepted: sum(({ accepted }) => accepted.valid + accepted.changed + accepted.random),
    changed,
    changedAccepted: sum(({ accepted }) => accepted.changed),
    crashes: sum(({ faults }) => faults.crash),
    hangs: sum(({ faults }) => faults.hang),
    twoEncodings: sum(({ faults }) => faults["two-encodings"]),
    allocations: sum(({ faults }) => faults.allocation),
    neverAccepted: untried,
    slowest: { decoder: slowest.decoder, milliseconds: Math.round(slowest.slowestMs * 10) / 10 },
  }
  const failures = [...corpus.failures, ...tallies.flatMap((tally) => tally.failures)]
  for (const failure of failures) console.log(describe(failure))
  if (json) console.log(JSON.stringify({ ...totals, tallies: tallies.map(lineOf) }))
  else print(tallies, totals)
  return failures.length + untried.length > 0 ? 1 : 0
}

function lineOf({ decoder, frames, inputs, accepted, slowestMs, totalMs, faults }: Tally) {
  const round = (milliseconds: number) => Math.round(milliseconds * 100) / 100
  const ms = { slowestMs: round(slowestMs), totalMs: round(totalMs) }
  return { decoder, frames, inputs, accepted, ...ms, faults }
}

function print(tallies: readonly Tally[], totals: object): void {
  for (const { decoder, frames, inputs, accepted, slowestMs, totalMs } of tallies) {
    const taken = (100 * accepted.changed) / (inputs.changed || 1)
    const mean = totalMs / frames
    console.log(
      `${decoder}: ${frames} frames, ${taken.toFixed(1)} % of the changed ones accepted, ` +
        `mean ${mean.toFixed(2)} ms, slowest ${slowestMs.toFixed(1)} ms`,
    )
  }
  console.log(totals)
}
