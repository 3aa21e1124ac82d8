import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, utf8 } from "@lockkeeper/encoding"
import { leaves, ordinals, parseTrace, wasDone } from "./system-calls/calls.ts"
import { Disk } from "./system-calls/power-cut.ts"

/** As strace writes strings when it is to write all of them in hexadecimal. */
function hex(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")
}

const FILE = "/srv/a, b"
const fd = `24<${hex(FILE)}>`
const write = (offset: number, data: string) =>
  `1795394929.9 pwrite64(${fd}, "${hex(data)}", ${data.length}, ${offset}) = ${data.length} <0.00001>`
const sync = `1795394929.9 fsync(${fd}) = 0 <0.00001>`
const [lost, kept] = [() => false, () => true]

function after(lines: readonly string[], keeps: () => boolean): string | null {
  const disk = new Disk(new Map([[FILE, utf8("....")]]))
  for (const call of parseTrace(lines.join("\n"))) disk.apply(call)
  const content = disk.after(FILE, keeps)
  return content === null ? null : Buffer.from(content).toString()
}

test("a power cut keeps what was synced, and may lose everything since", () => {
  assert.equal(after([write(1, "ab")], lost), "....")
  assert.equal(after([write(1, "ab")], kept), ".ab.")
  assert.equal(after([write(1, "ab"), sync, write(2, "cd")], lost), ".ab.")
  assert.equal(after([write(1, "ab"), sync, write(2, "cdef")], kept), ".acdef")
  const cut = `1795394929.9 ftruncate(${fd}, 2) = 0 <0.00001>`
  assert.equal(after([cut], lost), "....")
  assert.equal(after([cut], kept), "..")
})

test("a write is kept in whole sectors, and may stop between any two", () => {
  const disk = new Disk(new Map())
  for (const call of parseTrace(write(510, "x".repeat(600)))) disk.apply(call)
  let sectors = 0
  disk.after(FILE, () => {
    sectors++
    return true
  })
  assert.equal(sectors, 3)
  let first = true
  const content = disk.after(FILE, () => {
    const keep = first
    first = false
    return keep
  })
  assert.deepEqual(content, concat(new Uint8Array(510), utf8("xx")))
})

test("a call that failed, or in which the process died, changes nothing", () => {
  const failed = write(0, "ab").replace(/= 2 .*/, "= -1 EIO (Input/output error) (INJECTED)")
  const died = write(0, "ab").replace(/= 2 .*/, "= ?")
  for (const line of [failed, died]) {
    const [call] = parseTrace(line)
    assert.ok(call !== undefined && !wasDone(call))
    assert.equal(call.path, FILE)
    assert.equal(call.injected, line === failed)
    assert.equal(after([line], kept), "....")
  }
})

test("a new name is not synced before its directory is", () => {
  const directory = `25<${hex("/srv")}>`
  const calls = parseTrace(
    [
      `1.1 openat(AT_FDCWD<${hex("/")}>, "${hex("/srv/x.new")}", O_WRONLY|O_CREAT|O_TRUNC, 0600) = 3 <0.1>`,
      `1.2 write(3<${hex("/srv/x.new")}>, "${hex("abc")}", 3) = 3 <0.1>`,
      `1.3 fsync(3<${hex("/srv/x.new")}>) = 0 <0.1>`,
      `1.4 rename("${hex("/srv/x.new")}", "${hex("/srv/x")}") = 0 <0.1>`,
      `1.5 fsync(${directory}) = 0 <0.1>`,
    ].join("\n"),
  )
  const disk = new Disk(new Map())
  const unsynced = calls.map((call) => {
    disk.apply(call)
    return [...disk.unsynced].sort()
  })
  const both = ["/srv", "/srv/x.new"]
  assert.deepEqual(unsynced, [both, both, ["/srv"], ["/srv"], []])
  assert.deepEqual(disk.after("/srv/x", lost), utf8("abc"))
  assert.equal(disk.after("/srv/x.new", lost), null)
})

test("calls are numbered by name, and what leaves over a socket is told from files", () => {
  const socket = `1.0 write(30<${hex("socket:[77]")}>, "${hex("ab")}", 2) = 2 <0.1>`
  const calls = ordinals(parseTrace([write(0, "a"), sync, write(1, "b"), socket, sync].join("\n")))
  assert.deepEqual(
    calls.map(({ name, ordinal }) => `${name} ${ordinal}`),
    ["pwrite64 1", "fsync 1", "pwrite64 2", "write 1", "fsync 2"],
  )
  assert.deepEqual(calls.map(leaves), [false, false, false, true, false])
})
