import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, decode, encode } from "@lockkeeper/encoding"
import { type Abort, reshare } from "@lockkeeper/protocols"
import type { Attack, Verdicts } from "../harness.ts"
import { mutantsOf } from "../mutations.ts"
import { decodedOrNull } from "../rounds/decoded.ts"
import { checkpointOf, record } from "../rounds/drive.ts"
import { certificateOf } from "./lies.ts"
import { ReshareRounds } from "./run.ts"
import { type ReshareScene, settingOf } from "./scene.ts"

// What whoever brings a certificate can make of it, towards those who activate and those who erase.

export function* certificateAttacks(scene: ReshareScene): Iterable<Attack> {
  yield* activations(scene)
  yield* erasures(scene)
}

interface Given<T> {
  readonly field: string
  readonly mutation: string
  readonly certificate: T
}

/** Certificates of other runs, by what they are called. */
function otherCertificates({ of }: ReshareScene) {
  const run = (...change: [Parameters<typeof settingOf>[1], string?]) => {
    const setting = settingOf(of, ...change)
    return { setting, honest: record(new ReshareRounds(setting)) }
  }
  return {
    "another run's": run({}, "another session"),
    "another batch's": run({ batch: "another" }),
    "another roster's": run({ rosterEpoch: 8 }),
  }
}

function* mutated<T>(name: string, codec: Codec<T>, right: T, other: T): Iterable<Given<T>> {
  const mutants = mutantsOf({
    ...{ name, codec: codec as Codec<unknown> },
    ...{ encoded: encode(codec, right), sessions: encode(codec, other) },
  })
  for (const { field, mutation, encoded } of mutants) {
    const certificate = decodedOrNull(codec, encoded)
    if (certificate) yield { field: `certificate.${field}`, mutation, certificate }
  }
}

function ended(scene: ReshareScene, aborts: readonly Abort[], accepted: readonly string[]) {
  const { verifyKeys } = scene.rounds
  return { verifyKeys, aborts, accepted, finished: aborts.length === 0 } satisfies Verdicts
}

/** Every holder is brought another certificate than the one of its run. */
function* activations(scene: ReshareScene): Iterable<Attack> {
  const { protocol, sender, honest, rounds, setting } = scene
  const { stored } = checkpointOf(honest, "end")
  const right = certificateOf(scene)
  const others = otherCertificates(scene)
  const codec = reshare.batchCertificateCodec
  const elsewhere = certificateOf(others["another run's"])
  const given: Given<reshare.BatchCertificate>[] = [
    ...mutated(`${protocol}/certificate`, codec, right, elsewhere),
    ...Object.entries(others).map(([mutation, run]) => {
      return { field: "certificate", mutation, certificate: certificateOf(run) }
    }),
  ]
  const told = { protocol, step: "activate", by: "coordinator", sender, victim: "all" } as const
  for (const { field, mutation, certificate } of given) {
    const run = () => {
      const aborts: Abort[] = []
      const active = new Map<Identifier, readonly reshare.ResharedShare[]>()
      for (const holder of setting.attempt.params.holders) {
        const state = decode(reshare.reshareJudgedCodec, stored.get(holder) as Bytes)
        const outcome = reshare.reshareActivate(state, certificate, rounds.verifyKeys)
        if (outcome.ok) active.set(holder, outcome.value)
        else aborts.push(outcome.abort)
      }
      const accepted = active.size > 0 ? rounds.wrongResults(active) : []
      return ended(scene, aborts, accepted)
    }
    yield { ...told, field, mutation, run }
  }
}

/** Whoever holds an old share is brought another certificate than the one of its key. */
function* erasures(scene: ReshareScene): Iterable<Attack> {
  const { protocol, sender, rounds, setting } = scene
  const { rosterEpoch, minSigners } = setting.attempt.params
  const roster = { rosterEpoch, minSigners, verifyKeys: rounds.verifyKeys }
  const [right, ...siblings] = certificatesIn(scene)
  const others = otherCertificates(scene)
  const codec = reshare.reshareCertificateCodec
  const elsewhere = certificatesIn(others["another run's"])[0]!
  const given: Given<reshare.ReshareCertificate>[] = [
    ...mutated(`${protocol}/key certificate`, codec, right!, elsewhere),
    ...siblings.map((certificate, i) => {
      return { field: "certificate", mutation: `of key ${i + 1}`, certificate }
    }),
    ...(["another batch's", "another roster's"] as const).map((mutation) => {
      return { field: "certificate", mutation, certificate: certificatesIn(others[mutation])[0]! }
    }),
  ]
  const held = setting.batch[0]!.sharing
  const told = { protocol, step: "erase", by: "coordinator", sender, victim: "all" } as const
  for (const { field, mutation, certificate } of given) {
    const run = () => {
      const outcome = reshare.mayErase(held, certificate, roster)
      return ended(scene, outcome.ok ? [] : [outcome.abort], outcome.ok ? erased(certificate) : [])
    }
    yield { ...told, field, mutation, run }
  }

  /** What is wrong with erasing on it: another sharing than the one confirmed, or too few of it. */
  function erased({ sharing, confirmations }: reshare.ReshareCertificate): string[] {
    const same = encode(codec, { ...right!, confirmations: new Map() })
    const told = encode(codec, { ...right!, sharing, confirmations: new Map() })
    const quorum = reshare.quorumOf(minSigners, setting.attempt.params.holders.length)
    if (same.join() !== told.join()) return ["erased for a sharing that nobody confirmed"]
    return confirmations.size < quorum ? ["erased without a quorum"] : []
  }
}

/** The certificates of a run's keys, as its first holder has them. */
function certificatesIn({ honest, setting }: Pick<ReshareScene, "honest" | "setting">) {
  const { stored } = checkpointOf(honest, "end")
  const [holder] = setting.attempt.params.holders as [Identifier]
  const { pending } = decode(reshare.reshareJudgedCodec, stored.get(holder) as Bytes)
  const sharings = pending!.reshared.map(({ sharing }) => sharing)
  return reshare.certificatesOf(certificateOf({ honest }), sharings)
}
