import { getHeapStatistics } from "node:v8"
import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import type { Decoder, Reading } from "./decoder.ts"

/** Longest that reading one input may take, milliseconds. */
const HANG_MS = 100

/** How often a slow reading is repeated before it is called that: machines have noise. */
const REPEATS = 3

/** Most that reading may allocate: a fixed part and a multiple of the input. */
const ALLOCATION_BYTES = 64 * 2 ** 20
const ALLOCATION_FACTOR = 256

export type FaultKind = "crash" | "hang" | "two-encodings" | "allocation"

export interface Fault {
  readonly kind: FaultKind
  readonly message: string
}

export interface Checked {
  readonly accepted: boolean
  /** The shortest of its repetitions, where it was repeated. */
  readonly milliseconds: number
  readonly fault: Fault | null
}

interface Measured {
  readonly reading: Reading | null
  readonly crash: string | null
  readonly milliseconds: number
  readonly allocated: number
}

/** Reads one input and says what is wrong with how that went. */
export async function check(decoder: Decoder, input: Bytes): Promise<Checked> {
  const first = await measure(decoder, input)
  const { reading, milliseconds } = first
  const accepted = reading?.accepted ?? false
  if (first.crash !== null) {
    return { accepted, milliseconds, fault: { kind: "crash", message: first.crash } }
  }
  if (reading !== null && reading.again !== null && !equalBytes(reading.again, input)) {
    return { accepted, milliseconds, fault: { kind: "two-encodings", message: "not its encoding" } }
  }
  return { accepted, ...(await slowOrLarge(decoder, input, first)) }
}

async function slowOrLarge(
  decoder: Decoder,
  input: Bytes,
  { milliseconds: once, allocated }: Measured,
): Promise<{ readonly milliseconds: number; readonly fault: Fault | null }> {
  const { patienceMs = HANG_MS } = decoder
  // Of what was allocated a collection may have taken some away, but nothing else adds to it.
  if (allocated > ALLOCATION_BYTES + ALLOCATION_FACTOR * input.length) {
    const fault = { kind: "allocation", message: `${allocated} bytes` } as const
    return { milliseconds: once, fault }
  }
  let milliseconds = once
  for (let i = 0; i < REPEATS && milliseconds > patienceMs; i++) {
    milliseconds = Math.min(milliseconds, (await measure(decoder, input)).milliseconds)
  }
  if (milliseconds <= patienceMs) return { milliseconds, fault: null }
  return { milliseconds, fault: { kind: "hang", message: `${Math.round(milliseconds)} ms` } }
}

/** Bytes in use, on the heap and beside it. */
function inUse(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}

async function measure(decoder: Decoder, input: Bytes): Promise<Measured> {
  // A copy: what a decoder does to its input is its own affair.
  const copy = input.slice()
  const before = inUse()
  const start = performance.now()
  let reading: Reading | null = null
  let crash: string | null = null
  try {
    const read = decoder.read(copy)
    reading = read instanceof Promise ? await read : read
  } catch (error) {
    if (!isRefusal(error)) crash = error instanceof Error ? (error.stack ?? error.name) : `${error}`
  }
  const milliseconds = performance.now() - start
  // A collection in between only hides allocations; it never adds some.
  return { reading, crash, milliseconds, allocated: inUse() - before }
}

/** `internal` is what bugs are turned into on the way out, so it is none. */
function isRefusal(error: unknown): boolean {
  if (error instanceof LockKeeperError) return error.code !== "internal"
  return error instanceof DecodeError
}
