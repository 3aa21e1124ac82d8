import type { GroupName, Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, encode } from "@lockkeeper/encoding"
import type { Message } from "@lockkeeper/protocols"
import type { Attack } from "../harness.ts"
import { type Mutant, mutantsOf } from "../mutations.ts"
import { decodedOrNull } from "./decoded.ts"
import { messageOf } from "./drive.ts"
import type { Delivery } from "./rounds.ts"
import { attackAt, firstStep, type Scene } from "./scene.ts"

// What a coordinator can ask that no run is: other parameters, other batches, and messages kept back.

/** Parameters that name a batch by its root, with the batch. */
export interface Batch<P, K> {
  readonly params: P
  readonly keys: readonly K[]
}

/** How a protocol's batches are written, and which root and groups belong to their parameters. */
export interface Batches<P, K> {
  readonly name: string
  readonly paramsCodec: Codec<P>
  readonly keysCodec: Codec<readonly K[]>
  rootOf(keys: readonly K[]): Bytes
  groupOf(key: K): GroupName
}

export interface OtherBatch<P, K> extends Batch<P, K> {
  readonly field: string
  readonly mutation: string
}

type Named = { readonly keys: Bytes; readonly groups: readonly GroupName[] }

/** Every other value of every field of the parameters and of the batch that can be asked for. */
export function* otherBatches<P extends Named, K>(
  { name, paramsCodec, keysCodec, rootOf, groupOf }: Batches<P, K>,
  { params, keys }: Batch<P, K>,
  elsewhere: Batch<P, K>,
): Iterable<OtherBatch<P, K>> {
  const paramsMutants = mutantsOf({
    ...{ name: `${name}/params`, codec: paramsCodec as Codec<unknown> },
    ...{ encoded: encode(paramsCodec, params), sessions: encode(paramsCodec, elsewhere.params) },
  })
  for (const { field, mutation, value } of decoded(paramsCodec, paramsMutants)) {
    yield { field: `params.${field}`, mutation, keys, params: value }
  }
  const keysMutants = mutantsOf({
    ...{ name: `${name}/keys`, codec: keysCodec as Codec<unknown> },
    ...{ encoded: encode(keysCodec, keys), sessions: encode(keysCodec, elsewhere.keys) },
  })
  for (const { field, mutation, value } of decoded(keysCodec, keysMutants)) {
    if (value.length === 0) continue
    // Under the root that it should have, under its own, and with groups that fit it.
    yield { field: `keys.${field}`, mutation, keys: value, params }
    const rooted = { ...params, keys: rootOf(value) }
    yield { field: `keys and root.${field}`, mutation, keys: value, params: rooted }
    const groups = value.map(groupOf)
    if (groups.join() === params.groups.join()) continue
    const fitting = { ...rooted, groups }
    yield { field: `keys, root and groups.${field}`, mutation, keys: value, params: fitting }
  }
}

function* decoded<T>(codec: Codec<T>, mutants: readonly Mutant[]) {
  for (const { field, mutation, encoded } of mutants) {
    const value = decodedOrNull(codec, encoded)
    if (value) yield { field, mutation, value }
  }
}

/** Each step's messages are kept from each participant, one kind of them or all, or brought twice. */
export function* keptBack<Task>(scene: Scene<Task>): Iterable<Attack> {
  const { rounds, honest, steps } = scene
  for (const step of steps.slice(1)) {
    const task = honest.checkpoints.get(step)?.task as Task
    const deliveries = rounds.asked(task)?.deliveries ?? new Map<Identifier, Delivery>()
    for (const [victim, delivery] of deliveries) {
      const all = Object.values(delivery).flat()
      const told = { step, by: "coordinator", field: "delivery", victim } as const
      yield attackAt(scene, { ...told, mutation: "missing" }, withholding(victim, all))
      const twice = {
        dishonest: null,
        delivers: (to: Identifier, message: Message) =>
          to === victim ? [message, message] : [message],
      }
      yield attackAt(scene, { ...told, mutation: "duplicated" }, twice)
      for (const [name, messages] of Object.entries(delivery)) {
        if (messages.length === 0) continue
        const part = { ...told, field: `delivery.${name}`, mutation: "missing" }
        yield attackAt(scene, part, withholding(victim, messages))
      }
    }
  }
  yield openingKeptBack(scene)
}

/** The coordinator takes part in the run as if one participant had not opened. */
function openingKeptBack<Task>(scene: Scene<Task>): Attack {
  const step = firstStep(scene)
  const opening = messageOf(scene.honest, step, scene.sender)
  const told = { step, by: "coordinator", field: "delivery", mutation: "missing" } as const
  return attackAt(
    scene,
    { ...told, victim: "all" },
    {
      dishonest: null,
      collects: (at, _from, message) =>
        at === step && message.header === opening.header ? [] : [message],
    },
  )
}

function withholding(victim: Identifier, messages: readonly Message[]) {
  return {
    dishonest: null,
    delivers: (to: Identifier, message: Message) =>
      to === victim && messages.includes(message) ? [] : [message],
  }
}
