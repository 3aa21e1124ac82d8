import { once } from "node:events"
import type { Readable, Writable } from "node:stream"
import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, type Codec, concat, decode, encode } from "@lockkeeper/encoding"

/** Longest frame between a command and the agent, bytes: well above the longest message. */
export const MAX_FRAME = 131_072

const PREFIX = 4

/** Writes one value behind a u32 length and waits until the stream has taken it. */
export async function writeFrame<T>(output: Writable, codec: Codec<T>, value: T): Promise<void> {
  const payload = encode(codec, value)
  if (payload.length > MAX_FRAME) throw tooLarge()
  const prefix = new Uint8Array(PREFIX)
  new DataView(prefix.buffer).setUint32(0, payload.length)
  const frame = concat(prefix, payload)
  payload.fill(0)
  if (!output.write(frame, () => frame.fill(0))) await once(output, "drain")
}

/**
 * Reads exactly one frame. The bound is checked on the prefix, before anything is collected.
 *
 * @throws DecodeError on anything but the one canonical encoding.
 * @throws LockKeeperError `too-large` for a longer frame, `unavailable` when the stream ends early.
 */
export async function readFrame<T>(input: Readable, codec: Codec<T>): Promise<T> {
  const collected: Bytes[] = []
  let length = 0
  let expected: number | null = null
  for await (const chunk of input.iterator({ destroyOnReturn: false })) {
    collected.push(new Uint8Array(chunk as Uint8Array))
    length += collected.at(-1)?.length ?? 0
    if (expected === null && length >= PREFIX) {
      expected = frameLength(concat(...collected))
    }
    if (expected !== null && length >= expected) break
  }
  if (expected === null || length < expected) {
    throw new LockKeeperError("unavailable", "The agent's connection ended early.", {
      field: "agent",
      remedy: "Run `lockkeeper login` again.",
    })
  }
  if (length > expected)
    throw new LockKeeperError("invalid-request", "More than one frame was sent.")
  const frame = concat(...collected)
  try {
    return decode(codec, frame.subarray(PREFIX))
  } finally {
    frame.fill(0)
    for (const part of collected) part.fill(0)
  }
}

function frameLength(head: Bytes): number {
  const length = new DataView(head.buffer, head.byteOffset).getUint32(0)
  if (length > MAX_FRAME) throw tooLarge()
  return PREFIX + length
}

function tooLarge(): LockKeeperError {
  return new LockKeeperError("too-large", `A frame is longer than ${MAX_FRAME} bytes.`, {
    field: "message",
    remedy: "Sign the digest of long data instead, if the key's chain allows it.",
  })
}
