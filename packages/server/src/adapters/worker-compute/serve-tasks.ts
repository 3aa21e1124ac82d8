import { readlinkSync } from "node:fs"
import { setPriority } from "node:os"
import { basename } from "node:path"
import { type MessagePort, parentPort } from "node:worker_threads"
import type { Bytes } from "@lockkeeper/encoding"

/** What a thread answers to a task. */
export type TaskAnswer =
  | { readonly kind: "done"; readonly result: Bytes }
  | { readonly kind: "failed"; readonly name: string; readonly message: string }

/** How much the scheduler prefers the main thread, which answers requests; Linux's nice value. */
const NICE = 5

/** Bytes that own all of their buffer, so that handing it over leaves no copy and takes no other's. */
export function ownBuffer(bytes: Bytes): Bytes {
  if (bytes.byteLength === bytes.buffer.byteLength) return bytes
  const copy = new Uint8Array(bytes)
  bytes.fill(0)
  return copy
}

function yieldToOtherThreads(): void {
  try {
    // On Linux a thread has a priority of its own, by its id; elsewhere there is no such file.
    setPriority(Number(basename(readlinkSync("/proc/thread-self"))), NICE)
  } catch {
    // Only the order of things that wait for a processor depends on it.
  }
}

function answer(work: (task: Bytes) => Bytes, task: Bytes): TaskAnswer {
  try {
    return { kind: "done", result: ownBuffer(work(task)) }
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error("unknown")
    return { kind: "failed", name, message }
  } finally {
    task.fill(0)
  }
}

/** Makes this thread a worker: runs what it is sent, one task after the other, until it is null. */
export function serveTasks(work: (task: Bytes) => Bytes): void {
  const port = parentPort as MessagePort
  yieldToOtherThreads()
  port.on("message", (task: Bytes | null) => {
    if (task === null) return port.close()
    const answered = answer(work, task)
    port.postMessage(answered, answered.kind === "done" ? [answered.result.buffer] : [])
  })
}
