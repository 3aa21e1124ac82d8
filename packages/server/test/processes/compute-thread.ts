import type { Bytes } from "@lockkeeper/encoding"
import { serveTasks } from "../../src/adapters/worker-compute/serve-tasks.ts"

// A thread of the pool whose tasks say what they do by their first byte.

let last: { readonly task: Bytes; readonly result: Bytes } | null = null

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function run(task: Bytes): Bytes {
  const [what = 0, argument = 0] = task
  switch (String.fromCharCode(what)) {
    case "s":
      sleep(argument)
      return task.slice()
    case "p":
      // Of a larger buffer, as an encoder might return it.
      return new Uint8Array(64).fill(7).subarray(8, 16)
    case "t":
      throw new RangeError("the task is wrong")
    case "x":
      process.exit(1)
      return task
    case "m":
      // More than a thread may have.
      for (const rows: number[][] = []; ; ) rows.push(new Array(1_000_000).fill(1.5))
    case "l":
      // What is left here of the task before, and of its result.
      return new Uint8Array([...(last?.task ?? []), last?.result.buffer.detached ? 1 : 0])
    default:
      return task.slice()
  }
}

serveTasks((task) => {
  const result = run(task)
  last = { task, result }
  return result
})
