import { readFileSync } from "node:fs"
import { describeDifference, encodeRoster, LockKeeperError, rosterDigest } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { type AddCommands, option, report } from "../command.ts"
import { writeNewFile } from "../output-file.ts"
import { readRoster } from "../roster-file.ts"
import {
  type Place,
  proposeRoster,
  type RosterChanges,
  type RosterProposal,
} from "../roster-proposal.ts"
import { differenceJson, placementText, rosterJson } from "../roster-text.ts"
import { parseCount } from "../text.ts"

interface ProposeOptions {
  readonly out: string
  readonly dryRun?: boolean
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
  readonly drop?: readonly string[]
  readonly replace?: readonly string[]
  readonly move?: string
  readonly url?: string
  readonly operator?: string
  readonly cloud?: string
  readonly jurisdiction?: string
  readonly threshold?: string
  readonly distinctOperators?: boolean
  readonly distinctClouds?: boolean
  readonly distinctJurisdictions?: boolean
  readonly refreshHours?: string
  readonly cryptoperiodDays?: string
}

const several = (flags: string, meaning: string) =>
  option(flags, meaning).argParser((value: string, before: string[] = []) => [...before, value])

/** `lockkeeper roster propose`: the next roster after the one in force, for its members to sign. */
export const addRosterPropose: AddCommands = (add) =>
  add<ProposeOptions>({
    usage: "propose",
    summary: "Make the next roster after the one in force, for its members to sign",
    options: [
      several("--add <descriptor>", "descriptor.json of a server that joins; again for another"),
      several(
        "--remove <name>",
        "a server that leaves once its shares have moved; again for another",
      ),
      several("--drop <name>", "one that is lost or caught: out at once, with what it holds"),
      several("--replace <name=descriptor>", "a server made anew, or another in its place"),
      option("--move <name>", "a server whose place changes: with one or more of the next four"),
      option("--url <url>", "where it is from then on, https://host:port"),
      option("--operator <name>", "who runs it from then on"),
      option("--cloud <name>", "on whose machines"),
      option("--jurisdiction <name>", "under whose law"),
      option("--threshold <t>", "how many servers an operation takes"),
      option("--distinct-operators", "refuse signer sets with two servers of one operator"),
      option("--no-distinct-operators", "allow them"),
      option("--distinct-clouds", "the same for clouds"),
      option("--no-distinct-clouds", "allow them"),
      option("--distinct-jurisdictions", "the same for jurisdictions"),
      option("--no-distinct-jurisdictions", "allow them"),
      option("--refresh-hours <n>", "hours between refreshes of all shares; 0 for no schedule"),
      option("--cryptoperiod-days <n>", "days that a key signs after it was made; 0 for no end"),
      option("--out <path>", "where to write the unsigned roster").default("roster.unsigned"),
      option("--dry-run", "say what would change and what it takes, and write nothing"),
    ],
    examples: [
      "lockkeeper roster propose --add delta/descriptor.json --remove alpha",
      "lockkeeper roster propose --move beta --url https://beta.example.net:7443 --cloud other",
      "lockkeeper roster propose --threshold 3 --dry-run",
    ],
    async run({ settings }, options) {
      const { chain } = readRoster(settings.roster, settings.rosterPin)
      const { readDescriptor } = await import("@lockkeeper/server")
      const read = (file: string) => readDescriptor(readFileSync(file, "utf8"))
      const proposal = proposeRoster(chain, changesIn(options, read), Date.now())
      const encoded = encodeRoster(proposal.roster)
      const digest = rosterDigest(encoded)
      const isDry = options.dryRun === true
      if (!isDry) writeNewFile(options.out, encoded, "out")
      const changes = describeDifference(proposal.difference)
      const next = isDry ? "\nNothing was written.\n" : nextSteps(options.out, proposal)
      const text = `${changes.join("\n")}\n\n${whatItTakes(proposal)}digest ${toHex(digest)}\n${next}`
      const { consents, consentsNeeded, resharing, roster, difference } = proposal
      return report(text, {
        out: isDry ? null : options.out,
        ...{ changes, consents, consentsNeeded, resharing },
        difference: differenceJson(difference),
        ...rosterJson(roster, digest),
      })
    },
  })

function changesIn(options: ProposeOptions, read: (file: string) => Place): RosterChanges {
  const { add = [], remove = [], drop = [], replace = [], move, threshold } = options
  const { url, operator, cloud, jurisdiction } = options
  const to = definedIn({ url, operator, cloud, jurisdiction })
  if ((move === undefined) !== (Object.keys(to).length === 0)) {
    throw new LockKeeperError(
      "invalid-request",
      "--move goes with what changes, and the other way.",
      {
        field: "move",
        remedy: "Write for example --move beta --url https://beta.example.net:7443.",
      },
    )
  }
  const { distinctOperators, distinctClouds, distinctJurisdictions } = options
  const { refreshHours, cryptoperiodDays } = options
  return {
    add: add.map(read),
    remove,
    drop,
    replace: replace.map((text) => {
      const at = text.indexOf("=")
      if (at > 0) return { name: text.slice(0, at), by: read(text.slice(at + 1)) }
      throw new LockKeeperError("invalid-request", `"${text}" is not a name and a descriptor.`, {
        field: "replace",
        remedy: "Write for example --replace beta=new-beta/descriptor.json.",
      })
    }),
    move: move === undefined ? null : { name: move, to },
    minSigners: threshold === undefined ? null : parseCount(threshold, "threshold", 1),
    placement: definedIn({ distinctOperators, distinctClouds, distinctJurisdictions }),
    refreshHours: refreshHours === undefined ? null : parseCount(refreshHours, "refresh-hours", 0),
    cryptoperiodDays:
      cryptoperiodDays === undefined ? null : parseCount(cryptoperiodDays, "cryptoperiod-days", 0),
  }
}

function definedIn<T extends object>(
  values: T,
): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

function whatItTakes({ roster, consents, consentsNeeded, resharing }: RosterProposal): string {
  const { members, minSigners } = roster
  const shares = resharing
    ? "Under it `lockkeeper reshare` moves the shares of every key and account; then it is settled.\n"
    : "No share has to move.\n"
  return (
    `From then on ${minSigners} of ${members.length} servers; it may lose ${placementText(roster)}.\n` +
    `It takes the signatures of all ${members.length} members, and of ${consentsNeeded} of those ` +
    `before: ${consents.join(", ")}.\n${shares}` +
    "Clients follow it by themselves from the roster they pinned; owners log in again.\n"
  )
}

function nextSteps(out: string, { consents }: RosterProposal): string {
  return (
    `\nWrote ${out}. Next: every member of it, and enough of ${consents.join(", ")}, run\n` +
    `  lockkeeper roster sign DIRECTORY ${out} --out NAME.signature\n` +
    "after comparing the digest above over a channel they trust. Then, with the current roster:\n" +
    "  lockkeeper roster join --after roster.lk --out next.lk NAME.signature ...\n" +
    "  lockkeeper roster activate DIRECTORY roster.bundle\n"
  )
}
