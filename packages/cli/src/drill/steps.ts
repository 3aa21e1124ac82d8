import { holdersOf, type Roster } from "@lockkeeper/api"

/** What those have to do who have no new channel key yet. */
export function rotateSteps(server: string, missing: readonly string[], isDry: boolean): string {
  const each = missing.map(
    (name) => `  at ${name}:  lockkeeper server rotate-channel-key DIRECTORY\n`,
  )
  return (
    `Whoever holds "${server}" is put out by a roster without it, under new channel keys of all others.\n` +
    (isDry ? "Nothing was changed. " : "") +
    "These have none yet; each of them runs, and sends you descriptor.json over a channel you trust:\n" +
    each.join("") +
    "Then run this command again, with --descriptor for each of them.\n"
  )
}

interface Joining {
  readonly roster: Roster
  readonly server: string
  readonly out: string
  readonly consents: readonly string[]
  readonly consentsNeeded: number
  readonly signatures: readonly string[]
  readonly directory?: readonly string[]
}

/** What follows once the roster without the server is proposed. */
export function joinSteps(joining: Joining): string {
  const { roster, server, out, consents, consentsNeeded, signatures, directory = [] } = joining
  const own = directory.map((one) => ` --directory ${one}`).join("")
  const members = roster.members.map(({ name }) => name).join(", ")
  const mine = signatures.length === 0 ? "" : ` Signed here: ${signatures.join(", ")}.`
  return (
    `Wrote ${out}.${mine}\n` +
    `1. All of ${members} compare the digest above and sign, at least ${consentsNeeded} of them members ` +
    `before (${consents.join(", ")}); never "${server}":\n` +
    `   lockkeeper roster sign DIRECTORY ${out} --out NAME.signature\n` +
    "2. Join what they send:\n" +
    `   lockkeeper roster join --after roster.lk --out next.lk --bundle next.bundle ${[...signatures, "NAME.signature ..."].join(" ")}\n` +
    "3. At every one of them, within minutes; they go on running:\n" +
    "   lockkeeper roster activate DIRECTORY next.bundle\n" +
    `   From then on "${server}" is nobody: cut its host off the network.\n` +
    "4. Run this again: it moves the shares, so that none goes with what was taken:\n" +
    `   lockkeeper --roster next.lk drill compromise --server ${server}${own}\n`
  )
}

/** What is left when all shares have moved. */
export function settleSteps(roster: Roster, settled: readonly string[]): string {
  const names = holdersOf(roster).map(({ name }) => name)
  const here = settled.length === 0 ? "" : `Settled here: ${settled.join(", ")}. `
  return (
    `${here}At each of ${names.join(", ")} where it was not done:\n` +
    "  lockkeeper roster settle DIRECTORY\n"
  )
}
