import { OWNER_DEVICE } from "@lockkeeper/api"
import { type Group, groupByName, type Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, encode } from "@lockkeeper/encoding"
import { type ChildPath, frost, groupOf, type KeyType, type Message } from "@lockkeeper/protocols"
import { payloadCodecs } from "@lockkeeper/protocols/payloads"
import { altered, headersSignedAgain, signedAgain } from "../forgery.ts"
import type { Attack, Case, Target, Verdicts } from "../harness.ts"
import { mutantsOf, type Subject } from "../mutations.ts"
import { pooled } from "../pooled.ts"
import { identityOf, rosterOf, seeded } from "../seeded.ts"
import { dealKey } from "./key.ts"
import { HARMLESS, UNATTRIBUTABLE } from "./kinds.ts"
import {
  attacked,
  attackedAlone,
  type Meddling,
  packageOrNull,
  type Recorded,
  record,
  type Setting,
  settingOf,
} from "./run.ts"

/** What is signed with: a type of key, a child of it, a tweak; and who deviates. */
export interface Signing {
  readonly keyType: KeyType
  /** Whether an owner's device signs beside the servers, and whether it is the one that deviates. */
  readonly device?: "honest" | "liar"
  readonly path?: ChildPath
  readonly tweak?: frost.Tweak
}

interface Scene {
  readonly protocol: string
  readonly sender: Identifier
  readonly setting: Setting
  readonly group: Group
  readonly honest: Recorded
  readonly elsewhere: Recorded
  readonly codecs: ReadonlyMap<string, Codec<unknown>>
}

/** FROST with one type of key, attacked in every field of every message and of the package. */
export function frostTarget({ keyType, device, ...what }: Signing): Target {
  const child = what.path ? " child" : ""
  const beside = device === undefined ? "" : device === "liar" ? " by a device" : " beside a device"
  const protocol = `frost/${keyType}${child}${beside}`
  const sender = device === "liar" ? OWNER_DEVICE : 2
  const devices = device === undefined ? [] : [OWNER_DEVICE]
  return {
    protocol,
    steps: ["commitment", "package", "share", "single share"],
    attacks: () =>
      withSingleShares(attacksOn(sceneOf(protocol, sender, keyType, { ...what, devices }))),
    harmless: HARMLESS,
    unattributable: UNATTRIBUTABLE,
  }
}

function sceneOf(
  protocol: string,
  sender: Identifier,
  keyType: KeyType,
  what: Omit<Signing, "keyType" | "device"> & { readonly devices: readonly Identifier[] },
): Scene {
  const setting = settingOf(keyType, what)
  const rows = payloadCodecs(keyType).filter((row) => row.protocol === "frost")
  return {
    protocol,
    sender,
    setting,
    group: groupByName(groupOf(keyType)),
    honest: record(setting),
    elsewhere: record({ ...setting, seed: "another session" }),
    codecs: new Map(rows.map(({ step, broadcast }) => [step, broadcast as Codec<unknown>])),
  }
}

/** Each wrong share also where a coordinator judges it alone, before it has the others. */
function* withSingleShares(attacks: Iterable<FrostAttack>): Iterable<Attack> {
  for (const { alone, ...made } of attacks) {
    yield made
    if (made.step === "share") yield { ...made, step: "single share", run: alone }
  }
}

interface FrostAttack extends Attack {
  alone(): Verdicts
}

function* attacksOn(scene: Scene): Iterable<FrostAttack> {
  for (const step of ["commitment", "share"] as const) {
    yield* payloadAttacks(scene, step)
    yield* headerAttacks(scene, step)
    yield* relayAttacks(scene, step)
    yield* replayAttacks(scene, step)
  }
  yield* packageAttacks(scene)
}

type Step = "commitment" | "share"

const said = (recorded: Recorded, step: Step, signer: Identifier): Message =>
  (step === "commitment" ? recorded.commitments : recorded.shares).get(signer) as Message

function subjectOf(
  { codecs, group, honest, elsewhere, protocol, sender }: Scene,
  step: Step,
): Subject {
  return {
    name: `${protocol}/${step}`,
    codec: codecs.get(step) as Codec<unknown>,
    encoded: said(honest, step, sender).broadcast,
    group,
    participants: said(honest, step, 1).broadcast,
    sessions: said(elsewhere, step, sender).broadcast,
    ...(step === "share" && { earlier: said(honest, "commitment", sender).broadcast }),
  }
}

type Told = Omit<Case, "protocol" | "sender">

function attack({ protocol, sender, setting }: Scene, told: Told, meddling: Meddling): FrostAttack {
  const run = () => attacked(setting, meddling)
  const alone = () => attackedAlone(setting, meddling, sender)
  return { protocol, sender, ...told, run, alone }
}

/** What the coordinator gets from the sender is `lie`. */
function lies(
  { sender }: Scene,
  step: Step,
  lie: Message | null,
  dishonest: Identifier | null,
): Meddling {
  const instead = (signer: Identifier, message: Message) => (signer === sender ? lie : message)
  return step === "commitment" ? { dishonest, commits: instead } : { dishonest, shares: instead }
}

/** A coordinator shows one signer another commitment of the sender than the others. */
function showsTo(
  { sender, setting }: Scene,
  victim: Identifier,
  lie: Message,
  dishonest: Identifier | null,
): Meddling {
  const place = setting.signers.indexOf(sender)
  return {
    dishonest,
    shows: (signer, pkg) =>
      signer === victim ? { ...pkg, commitments: pkg.commitments.with(place, lie) } : pkg,
  }
}

function splitView(scene: Scene, told: Told, victim: Identifier, lie: Message): FrostAttack {
  const made = attack(scene, { ...told, victim }, showsTo(scene, victim, lie, scene.sender))
  const truth = said(scene.honest, "commitment", scene.sender)
  return {
    ...made,
    async run() {
      const verdicts = await made.run()
      const named = verdicts.aborts.some(({ culprits }) => culprits.length > 0)
      if (named) return verdicts
      const compared = pooled([truth.header, lie.header], rosterOf(scene.setting.signers))
      return { ...verdicts, compared }
    },
  }
}

function* payloadAttacks(scene: Scene, step: Step): Iterable<FrostAttack> {
  const { sender } = scene
  const message = said(scene.honest, step, sender)
  for (const { field: path, mutation, encoded } of mutantsOf(subjectOf(scene, step))) {
    const lie = signedAgain(message, identityOf(sender), { broadcast: encoded })
    const told = {
      step,
      field: `broadcast.${path}`,
      mutation,
      by: "sender",
      victim: "all",
    } as const
    yield attack(scene, told, lies(scene, step, lie, sender))
    if (step === "share") continue
    const others = scene.setting.signers.filter((one) => one !== sender)
    for (const victim of others) yield splitView(scene, told, victim, lie)
  }
}

function* headerAttacks(scene: Scene, step: Step): Iterable<FrostAttack> {
  const { honest, elsewhere, protocol, sender } = scene
  const message = said(honest, step, sender)
  const forged = headersSignedAgain(message, identityOf(sender), {
    name: `${protocol}/${step}/header`,
    participants: said(honest, step, 1).header.bytes,
    sessions: said(elsewhere, step, sender).header.bytes,
  })
  for (const { field, mutation, message: lie } of forged) {
    const told = { step, field, mutation, by: "sender", victim: "all" } as const
    yield attack(scene, told, lies(scene, step, lie, sender))
    if (step === "commitment") yield splitView(scene, told, 1, lie)
  }
  const sealed = new Map([[1, new Uint8Array(40)]])
  const told = {
    step,
    field: "sealed",
    mutation: "duplicated",
    by: "sender",
    victim: "all",
  } as const
  const extra = signedAgain(message, identityOf(sender), { sealed })
  yield attack(scene, told, lies(scene, step, extra, sender))
}

function* relayAttacks(scene: Scene, step: Step): Iterable<FrostAttack> {
  const { honest, elsewhere, protocol, sender } = scene
  const forged = altered(said(honest, step, sender), subjectOf(scene, step), {
    name: `${protocol}/${step}/relay`,
    participants: said(honest, step, 1).header.bytes,
    sessions: said(elsewhere, step, sender).header.bytes,
  })
  for (const { field, mutation, message } of forged) {
    const told = { step, field, mutation, by: "relay", victim: "all" } as const
    yield attack(scene, told, lies(scene, step, message, null))
    if (step === "commitment")
      yield attack(scene, { ...told, victim: 1 }, showsTo(scene, 1, message, null))
  }
}

/** Messages out of place: of other sessions, tries, rosters and generations, and none at all. */
function* replayAttacks(scene: Scene, step: Step): Iterable<FrostAttack> {
  const { setting, honest, elsewhere, sender } = scene
  const { keyType, approved } = setting
  const { verifyingShares, additive } = setting.key.certificate.public
  const servers = [...verifyingShares.keys()]
  const key = dealKey(keyType, servers, 2, "another key", [...additive.keys()])
  const other = (change: Partial<Setting>, seed: string) => record({ ...setting, ...change, seed })
  const message = { ...approved, message: seeded("another message") }
  const replayed: Record<string, Message | null> = {
    "another session's message": said(elsewhere, step, sender),
    "an earlier attempt's message": said(other({ attempt: 2 }, "attempt"), step, sender),
    "another key's message": said(other({ key }, "key"), step, sender),
    "the message of another order": said(other({ approved: message }, "order"), step, sender),
    "the other step's message": said(honest, step === "share" ? "commitment" : "share", sender),
    "another participant's message": said(honest, step, 1),
    missing: null,
  }
  for (const [mutation, instead] of Object.entries(replayed)) {
    const told = { step, field: "message", mutation, victim: "all" } as const
    yield attack(scene, { ...told, by: "relay" }, lies(scene, step, instead, null))
    yield attack(scene, { ...told, by: "sender" }, lies(scene, step, instead, sender))
  }
}

/** The coordinator asks one signer, or all, for another package than was approved or prepared. */
function* packageAttacks(scene: Scene): Iterable<FrostAttack> {
  const { honest, elsewhere, group, protocol } = scene
  const codec = frost.signingPackageCodec
  const shown = (victim: Identifier | "all", pkg: frost.SigningPackage | null): Meddling => ({
    dishonest: null,
    shows: (signer, truth) => (victim === "all" || signer === victim ? pkg : truth),
  })
  const cases: [string, string, Bytes][] = mutantsOf({
    name: `${protocol}/package`,
    codec,
    encoded: encode(codec, honest.package),
    group,
    sessions: encode(codec, elsewhere.package),
  }).map(({ field, mutation, encoded }) => [field, mutation, encoded])
  const commitments = [...honest.package.commitments].reverse()
  cases.push(["commitments", "reversed", encode(codec, { ...honest.package, commitments })])
  for (const [field, mutation, encoded] of cases) {
    const pkg = packageOrNull(encoded)
    // What is no package is refused before anyone signs: the decoders have their own tests.
    if (pkg === null) continue
    const told = { step: "package", field, mutation, by: "coordinator" } as const
    for (const victim of [1, "all"] as const) {
      yield attack(scene, { ...told, victim }, shown(victim, pkg))
    }
  }
}
