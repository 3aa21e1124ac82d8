import { type Identifier, type SigningKey, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import type { dkls, Message } from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { identityOf } from "../seeded.ts"
import { dealtParties, type Parties } from "./parties.ts"
import { type Pairs, PresignDriver } from "./presign-driver.ts"
import { SetupDriver } from "./setup-driver.ts"

export type SaidStep = 1 | 2 | 3 | 4
export const SAID_STEPS: readonly SaidStep[] = [1, 2, 3, 4]

/** Who presigns, and who of them lies. */
export interface SceneOptions {
  readonly minSigners: number
  readonly servers: number
  readonly signers: readonly Identifier[]
  readonly liar: Identifier
  readonly count?: number
}

/** What one participant computed at a step of the honest run. */
export interface Computed {
  readonly task: Bytes
  readonly result: Bytes
}

/** An honest run that is recorded, and others beside it from which values are taken. */
export interface PresignScene {
  readonly options: SceneOptions
  readonly parties: Parties
  readonly liar: Identifier
  readonly identity: SigningKey
  readonly honest: readonly Identifier[]
  readonly recorded: PresignDriver
  /** The same batch asked for once more. */
  readonly again: PresignDriver
  /** Of another batch. */
  readonly elsewhere: PresignDriver
  computed(driver: PresignDriver, step: dkls.PresignStep, identifier: Identifier): Computed
}

const setups = new Map<string, Pairs>()

/** Pairs of servers 1 to 3 from a real run of setup, which all keys and attacks share. */
export function sharedPairs(seed = "setup"): Pairs {
  const known = setups.get(seed)
  if (known) return known
  const parties = dealtParties({ minSigners: 2, servers: 3 })
  const { pairs } = new SetupDriver(parties, { participants: [1, 2, 3], seed, run: seed }).finish()
  setups.set(seed, pairs)
  return pairs
}

function ran(driver: PresignDriver): PresignDriver {
  const { aborts, presignatures } = driver.finish()
  if (aborts.size > 0 || presignatures.size !== driver.params.signers.length) {
    throw new Error("an honest run of presigning did not end")
  }
  return driver
}

export function presignScene(options: SceneOptions): PresignScene {
  const { minSigners, servers, signers, liar, count = 1 } = options
  const parties = dealtParties({ minSigners, servers, seed: `key ${minSigners}/${servers}` })
  const pairs = sharedPairs()
  const run = (seed: string, batch: string) =>
    ran(new PresignDriver(parties, { signers, pairs, count, seed, batch }))
  const known = new Map<string, Computed>()
  return {
    ...{ options, parties, liar, identity: identityOf(liar) },
    honest: signers.filter((identifier) => identifier !== liar),
    recorded: run("recorded", "batch"),
    again: run("again", "batch"),
    elsewhere: run("elsewhere", "another batch"),
    computed(driver, step, identifier) {
      const name = `${driver.options.seed}/${step}/${identifier}`
      const found = known.get(name) ?? captured(driver, step, identifier)
      known.set(name, found)
      return found
    },
  }
}

function captured(driver: PresignDriver, step: dkls.PresignStep, liar: Identifier): Computed {
  const kept: { task: Bytes; result: Bytes } = { task: new Uint8Array(), result: new Uint8Array() }
  const keep = (name: "task" | "result") => (_: unknown, bytes: Bytes) => {
    kept[name] = bytes.slice()
    return bytes
  }
  const lie = { liar, from: step, task: keep("task"), result: keep("result") }
  driver.before(step).round(step, lie)
  return kept
}

export function messageOf(driver: PresignDriver, step: SaidStep, sender: Identifier): Message {
  const message = driver.said[step - 1]?.get(sender)
  if (!message) throw new Error(`participant ${sender} said nothing at step ${step}`)
  return message
}

/** What a sender seals with to each other at step 2 or 3, with the content of its parts. */
export interface Opened {
  readonly payload: Bytes
  /** By recipient. */
  readonly products: ReadonlyMap<Identifier, Bytes>
  readonly secrets: ReadonlyMap<Identifier, Parameters<typeof dklsInside.sealPart>[0]>
}

/** What the parts of a sealed step hold, from what their sender computed. */
export function openedOf(
  scene: PresignScene,
  driver: PresignDriver,
  step: 2 | 3,
  sender: Identifier,
): Opened {
  const { result } = decode(
    dklsInside.presignResultCodec,
    scene.computed(driver, step, sender).result,
  )
  if (result.kind !== "sealed") throw new Error("a step that seals has sealed nothing")
  const secrets = sealedWith(step, result.secret)
  const sessionId = driver.session()
  const products = new Map<Identifier, Bytes>()
  for (const [recipient, part] of result.parts) {
    const place = { sessionId, step, sender, recipient }
    const plaintext = dklsInside.openPart(secrets.get(recipient)!, place, part)!
    products.set(recipient, decode(dklsInside.sealedPayloadCodec, plaintext).product)
  }
  return { payload: result.payload, products, secrets }
}

function sealedWith(step: 2 | 3, kept: Bytes): Opened["secrets"] {
  const { exchangedSecretCodec, publishedSecretCodec } = dklsInside
  return step === 2
    ? decode(exchangedSecretCodec, kept).runSecrets
    : decode(publishedSecretCodec, kept).runSecrets
}

export const GROUP = secp256k1
