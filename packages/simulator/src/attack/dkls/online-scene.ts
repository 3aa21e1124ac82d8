import type { Identifier } from "@lockkeeper/crypto"
import type { Attack, By, Ended, Verdicts } from "../harness.ts"
import { type ByHolder, type OnlineEnd, type OnlineLie, signOnline } from "./online-driver.ts"
import type { Parties } from "./parties.ts"
import { presignScene, type SceneOptions } from "./presign-scene.ts"

/** A batch of presignatures to sign with, and what honest signers sign with them. */
export interface OnlineScene {
  readonly protocol: string
  readonly options: SceneOptions
  readonly parties: Parties
  readonly liar: Identifier
  readonly victim: Identifier
  readonly presignatures: ByHolder
  /** Of another batch of the same key and signers. */
  readonly others: ByHolder
  readonly honest: OnlineEnd
  readonly elsewhere: OnlineEnd
}

export function onlineScene(options: SceneOptions): OnlineScene {
  const { minSigners, servers, liar, signers } = options
  const { parties, recorded, elsewhere: another } = presignScene(options)
  const first = (driver: typeof recorded): ByHolder =>
    new Map([...driver.presignatures].map(([id, all]) => [id, all[0]!]))
  const [presignatures, others] = [first(recorded), first(another)]
  return {
    ...{ protocol: `dkls-sign ${minSigners}/${servers} liar ${liar}`, options, parties, liar },
    ...{ victim: signers.find((signer) => signer !== liar)!, presignatures, others },
    honest: signOnline(parties, presignatures),
    elsewhere: signOnline(parties, others, null, { seed: "elsewhere" }),
  }
}

interface Told {
  readonly step: string
  readonly field: string
  readonly mutation: string
  readonly by: By
  readonly victim?: Identifier | "all"
}

export function onlineAttack(scene: OnlineScene, told: Told, lie: OnlineLie): Attack {
  const { protocol, liar, parties, presignatures } = scene
  return {
    ...{ protocol, sender: liar, victim: told.victim ?? "all", ...told },
    run: () => onlineVerdicts(scene, signOnline(parties, presignatures, lie)),
  }
}

/** What was asked of anyone honest and made from it, besides the order that was put together. */
export function onlineVerdicts({ parties }: OnlineScene, end: OnlineEnd): Verdicts {
  const aborts: Ended[] = [...end.aborts.values()]
  const finished = end.signature !== null
  return { verifyKeys: parties.verifyKeys, aborts, finished, accepted: [] }
}
