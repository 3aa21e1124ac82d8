import type { Bytes } from "@lockkeeper/encoding"
import { dkls } from "@lockkeeper/protocols"
import { ACCEPTED, type Decoder, REFUSED } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"

/** Tasks as threads get them, from their own process: whatever is wrong with one, the thread lives. */
export function taskDecoder(inside: Inside, codecs: readonly Decoder[]): Decoder {
  type Answer = (work: (task: Bytes) => Bytes, task: Bytes) => { readonly kind: string }
  const path = "packages/server/src/adapters/worker-compute/serve-tasks.ts"
  const answer = nameIn<Answer>(inside, path, "answer")
  const tasks = codecs.find(({ name }) => name.endsWith("dkls/frame.ts:framedCodec"))
  return {
    name: "worker: task",
    samples: (tasks?.samples ?? []).toSorted((a, b) => a.length - b.length).slice(0, 12),
    weight: 0.02,
    // A task that says so presigns a whole batch: that is work, in a thread of its own.
    patienceMs: 5000,
    change: null,
    layout: (sample) => tasks?.layout(sample) ?? null,
    read: (input) => (answer(dkls.work, input).kind === "done" ? ACCEPTED : REFUSED),
  }
}
