import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import type { dkls } from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { isEncodingOf } from "../forgery.ts"
import { type Mutant, mutantsOf, type Subject } from "../mutations.ts"
import { seeded } from "../seeded.ts"
import type { PresignLie } from "./presign-driver.ts"
import type { PresignChange } from "./presign-lies.ts"
import { GROUP, type PresignScene, type SaidStep } from "./presign-scene.ts"

const { framedCodec, presignResultCodec, presignTaskCodec } = dklsInside

/** What the step before has kept, by the step that starts from it. */
const KEPT_BEFORE = {
  1: null,
  2: dklsInside.openedSecretCodec,
  3: dklsInside.exchangedSecretCodec,
  4: dklsInside.publishedSecretCodec,
} as const

const KEPT_AFTER = {
  1: dklsInside.openedSecretCodec,
  2: dklsInside.exchangedSecretCodec,
  3: dklsInside.publishedSecretCodec,
  4: dklsInside.publishedSecretCodec,
} as const

type Named = readonly (readonly [string, Mutant, PresignLie])[]

function subjectOf(
  name: string,
  codec: Subject["codec"],
  pick: (of: "own" | "other's" | "again") => Bytes | undefined,
): Subject {
  const [participants, sessions] = [pick("other's"), pick("again")]
  return {
    ...{ name, codec, encoded: pick("own")!, group: GROUP },
    ...(participants && { participants }),
    ...(sessions && { sessions }),
  }
}

/** A few of all ways to change each field: what is computed from most of them is wrong alike. */
export function some(subject: Subject, each: number): Mutant[] {
  const byField = new Map<string, Mutant[]>()
  for (const mutant of mutantsOf(subject)) {
    const ways = byField.get(mutant.field) ?? []
    byField.set(mutant.field, ways)
    ways.push(mutant)
  }
  return [...byField].flatMap(([field, ways]) => {
    const ranked = ways
      .map((way) => ({ way, rank: seeded(`${field}/${way.mutation}`, 4).join() }))
      .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    const taken: Mutant[] = []
    for (const { way } of ranked) {
      // Nothing is computed from what does not decode: its author would only fall silent.
      if (taken.length < each && isEncodingOf(subject.codec, way.encoded)) taken.push(way)
    }
    return taken
  })
}

/**
 * What the liar computes from other values than it should, or makes otherwise of what it has computed:
 * everything it then signs follows from that.
 */
export function* computedLies(
  scene: PresignScene,
  step: SaidStep,
  each: number,
): Generator<PresignChange> {
  for (const [field, { mutation }, lie] of [
    ...taskLies(scene, step, each),
    ...resultLies(scene, step, each),
  ]) {
    yield { field, mutation, victim: "all", by: "sender", lie }
  }
}

function sources({ recorded, again, liar, honest, computed }: PresignScene, step: SaidStep) {
  return {
    own: computed(recorded, step, liar),
    "other's": computed(recorded, step, honest[0]!),
    again: computed(again, step, liar),
  }
}

function taskLies(scene: PresignScene, step: SaidStep, each: number): Named {
  const from = sources(scene, step)
  const bodyOf = (task: Bytes) => decode(framedCodec, task).body
  const lie = (body: Bytes): PresignLie => {
    const framed = encode(framedCodec, { protocol: "presign", body: body.slice() })
    const task = (at: dkls.PresignStep, honest: Bytes) => (at === step ? framed : honest)
    return { liar: scene.liar, from: step, task }
  }
  const outer = subjectOf(`task/${step}`, presignTaskCodec, (of) => bodyOf(from[of].task))
  const changed = some(outer, each).map(
    (mutant) => [`task.${mutant.field}`, mutant, lie(mutant.encoded)] as const,
  )
  const kept = KEPT_BEFORE[step]
  if (!kept) return changed
  const own = decode(presignTaskCodec, bodyOf(from.own.task))
  const inner = subjectOf(
    `task secret/${step}`,
    kept,
    (of) => decode(presignTaskCodec, bodyOf(from[of].task)).secret,
  )
  const secrets = some(inner, each).map((mutant) => {
    const body = encode(presignTaskCodec, { ...own, secret: mutant.encoded })
    return [`task secret.${mutant.field}`, mutant, lie(body)] as const
  })
  return [...changed, ...secrets]
}

function resultLies(scene: PresignScene, step: SaidStep, each: number): Named {
  const from = sources(scene, step)
  const lie = (changed: Bytes): PresignLie => {
    const result = (at: dkls.PresignStep, honest: Bytes) => (at === step ? changed : honest)
    return { liar: scene.liar, from: step, result }
  }
  const outer = subjectOf(`result/${step}`, presignResultCodec, (of) => from[of].result)
  const changed = some(outer, each).map(
    (mutant) => [`result.${mutant.field}`, mutant, lie(mutant.encoded)] as const,
  )
  const secretOf = (encoded: Bytes): Bytes => {
    const { result } = decode(presignResultCodec, encoded)
    return "secret" in result ? result.secret : new Uint8Array()
  }
  const { result, carried } = decode(presignResultCodec, from.own.result)
  if (!("secret" in result)) return changed
  const inner = subjectOf(`result secret/${step}`, KEPT_AFTER[step], (of) =>
    secretOf(from[of].result),
  )
  const secrets = some(inner, each).map((mutant) => {
    const encoded = encode(presignResultCodec, {
      result: { ...result, secret: mutant.encoded },
      carried,
    })
    return [`result secret.${mutant.field}`, mutant, lie(encoded)] as const
  })
  return [...changed, ...secrets]
}
