import { readdirSync, readFileSync } from "node:fs"
import { type Bytes, fromHex } from "@lockkeeper/encoding"
import type { Failure } from "./campaign.ts"
import { check } from "./check.ts"
import type { Decoder } from "./decoder.ts"

/** Inputs that once found something: a file each, its first line the decoder, its second the hex. */
const CORPUS = "packages/simulator/test/fuzz-corpus/"

interface Kept {
  readonly decoder: string
  readonly input: Bytes
}

function readCorpus(root: string): readonly Kept[] {
  const directory = new URL(CORPUS, root)
  return readdirSync(directory).map((file) => {
    const [decoder = "", hex = ""] = readFileSync(new URL(file, directory), "utf8").split("\n")
    return { decoder, input: fromHex(hex) }
  })
}

/**
 * Reads what once found something, with those of the decoders that it was found in.
 *
 * @throws Error when there is no decoder of that name any more.
 */
export async function replayCorpus(
  root: string,
  all: readonly Decoder[],
  chosen: readonly Decoder[],
): Promise<{ readonly inputs: number; readonly failures: readonly Failure[] }> {
  const failures: Failure[] = []
  let inputs = 0
  for (const { decoder: name, input } of readCorpus(root)) {
    const decoder = all.find((other) => other.name === name)
    if (decoder === undefined) throw new Error(`${CORPUS} is about "${name}", which is no decoder`)
    if (!chosen.includes(decoder)) continue
    inputs++
    const { fault } = await check(decoder, input)
    if (fault !== null) failures.push({ decoder: name, ...fault, input })
  }
  return { inputs, failures }
}
