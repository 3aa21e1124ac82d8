import type { Bytes } from "@lockkeeper/encoding"

/** One system call as strace saw it. */
export interface Call {
  readonly name: string
  /** Seconds since the Unix epoch. */
  readonly start: number
  /** The file it was made on, or its first name. */
  readonly path: string
  /** The new name, of a rename or link. */
  readonly to: string | null
  /** Written, whole; null for other calls. */
  readonly data: Bytes | null
  /** Where it writes, or the length it cuts to; null for other calls. */
  readonly offset: number | null
  readonly flags: string
  /** Null when the process died in it. */
  readonly result: number | null
  readonly injected: boolean
}

const LINE = /^(\d+\.\d+) (\w+)\((.*)\)\s+= (\?|-?\d+)(.*)$/
/** The process died, or was let go, in the middle of it. */
const UNFINISHED = /^(\d+\.\d+) (\w+)\((.*?)\)?\s*(?:= \?.*|<unfinished \.\.\.>|<detached \.\.\.>)$/

const SYNCS = ["fsync", "fdatasync", "sync_file_range"]
const RENAMES = ["rename", "renameat", "renameat2", "link", "linkat"]

/** The calls of one thread. Strings are in hexadecimal throughout, so that no comma is of theirs. */
export function parseTrace(text: string): readonly Call[] {
  return text.split("\n").flatMap((line) => {
    const found = LINE.exec(line) ?? UNFINISHED.exec(line)
    return found === null ? [] : [callOf(found)]
  })
}

function callOf([, start, name = "", inside = "", result, rest = ""]: RegExpExecArray): Call {
  const list = inside.split(", ")
  const strings = list.filter((one) => one.startsWith('"')).map(unquoted)
  const fd = /^\d+<(.*)>$/.exec(list[0] ?? "")?.[1]
  const path = fd === undefined ? textOf(strings[0]) : textOf(unquoted(fd))
  const writes = /write/.test(name) && fd !== undefined
  return {
    name,
    start: Number(start),
    path,
    to: RENAMES.includes(name) ? textOf(strings[1]) : null,
    data: writes ? dataOf(name, inside, strings) : null,
    offset: /^(pwrite|f?truncate)/.test(name) ? Number(list.at(-1)) : null,
    flags: list.find((one) => one.startsWith("O_")) ?? "",
    result: result === undefined || result === "?" ? null : Number(result),
    injected: rest.includes("(INJECTED)"),
  }
}

function dataOf(name: string, inside: string, strings: readonly Bytes[]): Bytes {
  if (!name.includes("writev")) return strings[0] ?? new Uint8Array(0)
  const parts = [...inside.matchAll(/iov_base=("[^"]*")/g)].map(([, part = ""]) => unquoted(part))
  return new Uint8Array(Buffer.concat(parts))
}

function unquoted(text: string): Bytes {
  return new Uint8Array(Buffer.from(text.replace(/\\x|"|\.\.\.$/g, ""), "hex"))
}

function textOf(bytes: Bytes | undefined): string {
  return Buffer.from(bytes ?? []).toString()
}

export function isSync({ name }: Call): boolean {
  return SYNCS.includes(name)
}

/** Whether it was done: not refused, and not cut short by the end of the process. */
export function wasDone({ result }: Call): boolean {
  return result !== null && result >= 0
}

/** Something leaves the process by it. */
export function leaves({ name, path }: Call): boolean {
  return path.startsWith("socket:") && /^(write|writev|send\w+)$/.test(name)
}

/** Which of the calls of its name it is, from 1: strace counts each name by itself. */
export function ordinals(calls: readonly Call[]): readonly (Call & { readonly ordinal: number })[] {
  const counts = new Map<string, number>()
  return calls.map((call) => {
    const ordinal = (counts.get(call.name) ?? 0) + 1
    counts.set(call.name, ordinal)
    return { ...call, ordinal }
  })
}

/** Calls that only look: opening a file that is there changes nothing. */
export function changesNothing({ name, flags }: Call): boolean {
  return /^open/.test(name) && !/O_CREAT|O_TRUNC/.test(flags)
}
