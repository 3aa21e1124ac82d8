import { compareBytes } from "@lockkeeper/encoding"
import { LIMITS } from "@lockkeeper/protocols"
import { EvidenceCollection, type EvidenceReport } from "./evidence.ts"
import { type Attack, idOf, judge, type Target } from "./harness.ts"
import { seeded } from "./seeded.ts"
import { type Report, Tally } from "./tally.ts"

export interface SuiteOptions {
  /** How many cases, chosen evenly; null for all. */
  readonly sample: number | null
  /** Beginning of the names of protocols. */
  readonly protocol: string
  /** Beginning of the names of cases. */
  readonly id: string
  /** Says the names of cases and runs none. */
  readonly list: boolean
}

export interface SuiteReport extends Report {
  readonly evidence: EvidenceReport
}

interface Chosen {
  readonly target: Target
  readonly attack: Attack
}

/** Runs the cases that were asked for, and alters the evidence that they gave. */
export async function runSuite(
  targets: readonly (() => Target)[],
  options: SuiteOptions,
  say: (line: string) => void,
): Promise<{ readonly report: SuiteReport; readonly violated: boolean }> {
  const tally = new Tally()
  const evidence = new EvidenceCollection(options.sample === null ? 4 : 1)
  for await (const { target, attack } of chosenOf(targets, options)) {
    const id = idOf(attack)
    if (options.list) {
      say(id)
      continue
    }
    const result = await judge(target, attack)
    tally.add(result)
    evidence.add(result)
    const { outcome, reason, culprits, why } = result
    if (outcome === "failure") say(`FAILED ${id}: ${why} (${reason})`)
    else if (options.id !== "") say(`${id}: ${outcome} ${culprits.join(" ")} ${reason} ${why}`)
  }
  const report = { ...tally.report(), evidence: evidence.alterAll() }
  for (const what of report.evidence.acceptedAs)
    say(`FAILED evidence accepted though altered: ${what}`)
  const { honestBlamed, wrongAccepted, failures } = report
  const { accepted, largestFile } = report.evidence
  if (largestFile > LIMITS.evidence) say(`FAILED an evidence file has ${largestFile} bytes`)
  const wrong = honestBlamed + wrongAccepted + failures.length + accepted
  const violated = wrong > 0 || largestFile > LIMITS.evidence
  return { report, violated }
}

async function* chosenOf(
  targets: readonly (() => Target)[],
  { sample, protocol, id }: SuiteOptions,
): AsyncIterable<Chosen> {
  const groups = new Map<string, Chosen[]>()
  for (const make of targets) {
    const target = make()
    if (!target.protocol.startsWith(protocol)) continue
    for await (const attack of target.attacks()) {
      if (!idOf(attack).startsWith(id)) continue
      if (sample === null) {
        yield { target, attack }
        continue
      }
      const group = [attack.protocol, attack.step, attack.by].join("/")
      groups.set(group, [...(groups.get(group) ?? []), { target, attack }])
    }
  }
  if (sample !== null) yield* sampled([...groups.values()], sample)
}

/** As many of each group in turn as make up the number, in an order that their names fix. */
function sampled(groups: readonly Chosen[][], sample: number): Chosen[] {
  const order = ({ attack }: Chosen) => seeded(`sample/${idOf(attack)}`)
  const left = groups.map((group) => {
    const keyed = group.map((chosen) => ({ chosen, key: order(chosen) }))
    return keyed.sort((a, b) => compareBytes(a.key, b.key)).map(({ chosen }) => chosen)
  })
  const taken: Chosen[] = []
  for (let i = 0; left.some((group) => i < group.length); i++) {
    for (const group of left) {
      const next = group[i]
      if (next && taken.length < sample) taken.push(next)
    }
  }
  return taken
}
