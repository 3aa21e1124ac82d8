import type { Bytes } from "@lockkeeper/encoding"
import { type Call, isSync, wasDone } from "./calls.ts"

/** Disks write whole sectors of at least this length; a write may stop between two. */
const SECTOR = 512

type Write =
  | { readonly kind: "bytes"; readonly offset: number; readonly data: Bytes }
  | { readonly kind: "length"; readonly length: number }

interface File {
  synced: Buffer
  /** Done since the last sync, oldest first: a power cut may lose any of it. */
  pending: Write[]
  /** Where the next plain `write` goes. */
  position: number
}

/**
 * What a disk surely holds, by the calls that were made: kill -9 loses nothing that the kernel was
 * given, a power cut may lose everything since a file's last fsync.
 */
export class Disk {
  readonly #files = new Map<string, File>()
  /** Directories in which a name changed since they were last synced. */
  readonly #names = new Set<string>()

  constructor(contents: ReadonlyMap<string, Uint8Array>) {
    for (const [path, content] of contents) {
      this.#files.set(path, { synced: Buffer.from(content), pending: [], position: 0 })
    }
  }

  apply(call: Call): void {
    if (!wasDone(call)) return
    const { name, path, to, data, offset, flags, result } = call
    if (isSync(call)) this.#sync(path)
    else if (data !== null) this.#write(path, offset, data.subarray(0, result ?? 0))
    else if (/truncate/.test(name)) {
      this.#file(path).pending.push({ kind: "length", length: offset ?? 0 })
    } else if (/^unlink/.test(name)) this.#unlink(path)
    else if (/^rename/.test(name)) this.#rename(path, to ?? "")
    else if (/^open|^creat/.test(name)) this.#open(path, flags)
    else throw new Error(`what ${name} does to a disk is not known here`)
  }

  /** Files, and directories, with something in them that a power cut may lose. */
  get unsynced(): readonly string[] {
    const files = [...this.#files].filter(([, { pending }]) => pending.length > 0)
    return [...files.map(([path]) => path), ...this.#names]
  }

  /** A file after a power cut that kept, of what was pending, the sectors that `keeps` says. */
  after(path: string, keeps: () => boolean): Bytes | null {
    const file = this.#files.get(path)
    if (file === undefined) return null
    return new Uint8Array(written(file.synced, file.pending, keeps))
  }

  #file(path: string): File {
    const file = this.#files.get(path) ?? { synced: Buffer.alloc(0), pending: [], position: 0 }
    this.#files.set(path, file)
    return file
  }

  #sync(path: string): void {
    this.#names.delete(path)
    const file = this.#files.get(path)
    if (file === undefined) return
    file.synced = written(file.synced, file.pending, () => true)
    file.pending = []
  }

  #write(path: string, offset: number | null, data: Bytes): void {
    const file = this.#file(path)
    file.pending.push({ kind: "bytes", offset: offset ?? file.position, data })
    if (offset === null) file.position += data.length
  }

  #open(path: string, flags: string): void {
    if (flags.includes("O_CREAT") && !this.#files.has(path)) {
      this.#file(path)
      this.#names.add(parentOf(path))
    }
    if (!flags.includes("O_TRUNC")) return
    const file = this.#file(path)
    file.position = 0
    file.pending.push({ kind: "length", length: 0 })
  }

  #unlink(path: string): void {
    this.#files.delete(path)
    this.#names.add(parentOf(path))
  }

  #rename(path: string, to: string): void {
    const file = this.#files.get(path)
    if (file !== undefined) this.#files.set(to, file)
    this.#files.delete(path)
    this.#names.add(parentOf(to))
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"))
}

/** The content with those sectors of the writes that are kept. */
function written(content: Buffer, writes: readonly Write[], keeps: () => boolean): Buffer {
  let kept: Buffer = Buffer.from(content)
  for (const write of writes) {
    if (write.kind === "bytes") kept = torn(kept, write.offset, write.data, keeps)
    else if (keeps()) kept = resized(kept, write.length)
  }
  return kept
}

function torn(content: Buffer, offset: number, data: Bytes, keeps: () => boolean): Buffer {
  let kept = content
  for (let from = 0; from < data.length; ) {
    const at = offset + from
    const length = Math.min(SECTOR - (at % SECTOR), data.length - from)
    if (keeps()) {
      if (kept.length < at + length) kept = resized(kept, at + length)
      kept.set(data.subarray(from, from + length), at)
    }
    from += length
  }
  return kept
}

function resized(content: Buffer, length: number): Buffer {
  const other = Buffer.alloc(length)
  content.copy(other)
  return other
}
