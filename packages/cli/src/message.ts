import { readFileSync, statSync } from "node:fs"
import type { Readable } from "node:stream"
import { LockKeeperError, MAX_MESSAGE } from "@lockkeeper/api"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import { option } from "./command.ts"
import { hexArgument } from "./text.ts"

/** How a message is given: exactly one of these, or standard input. */
export interface MessageOptions {
  readonly message?: string
  readonly hex?: string
  readonly file?: string
}

export const MESSAGE_OPTIONS = [
  option("--message <text>", "the message as UTF-8 text").conflicts(["hex", "file"]),
  option("--hex <digits>", "the message in hexadecimal").conflicts(["message", "file"]),
  option("--file <path>", "the message as the bytes of a file, - for standard input"),
]

/** The bytes to sign or verify. @throws LockKeeperError when there are none or too many. */
export async function readMessage(options: MessageOptions, input: Readable): Promise<Bytes> {
  if (options.message !== undefined) return bounded(utf8(options.message))
  if (options.hex !== undefined) return bounded(hexArgument(options.hex, "hex"))
  if (options.file === "-") return await readAll(input)
  if (options.file !== undefined) {
    if (statSync(options.file).size > MAX_MESSAGE) throw tooLong()
    return bounded(new Uint8Array(readFileSync(options.file)))
  }
  throw new LockKeeperError("invalid-request", "No message is given.", {
    field: "message",
    remedy: "Pass the text, or --hex DIGITS, --file PATH, or --file - for standard input.",
  })
}

/** @throws LockKeeperError `invalid-request` unless there are 32 bytes. */
export function checkDigestLength(digest: Bytes): void {
  if (digest.length === 32) return
  throw new LockKeeperError(
    "invalid-request",
    `ECDSA signs a digest of 32 bytes; this has ${digest.length}.`,
    { field: "message", remedy: "Pass the digest with --hex." },
  )
}

async function readAll(input: Readable): Promise<Bytes> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of input) {
    parts.push(part as Uint8Array)
    length += (part as Uint8Array).length
    if (length > MAX_MESSAGE) throw tooLong()
  }
  return concat(...parts)
}

function bounded(message: Bytes): Bytes {
  if (message.length > MAX_MESSAGE) throw tooLong()
  return message
}

function tooLong(): LockKeeperError {
  return new LockKeeperError("too-large", `The message is longer than ${MAX_MESSAGE} bytes.`, {
    field: "message",
    remedy: "Sign a digest of it, if what will verify the signature expects one.",
  })
}
