import type { Roster } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { type AddCommands, report } from "../command.ts"
import { readRoster } from "../roster-file.ts"
import { moment, table } from "../text.ts"

/** `lockkeeper roster show`. */
export const addRosterShow: AddCommands = (add) =>
  add({
    usage: "show",
    summary: "Show the key servers, the threshold and the digest to pin",
    examples: ["lockkeeper roster show", "lockkeeper roster show --roster ./roster.lk --json"],
    async run({ settings }) {
      const { roster, digest } = readRoster(settings.roster, settings.rosterPin)
      return report(rosterText(roster, digest), rosterJson(roster, digest))
    },
  })

/** A roster for a person, public keys shortened. */
export function rosterText(roster: Roster, digest: Bytes): string {
  const { members, minSigners, placement } = roster
  const rules = [
    placement.distinctOperators ? "operators" : "",
    placement.distinctClouds ? "clouds" : "",
    placement.distinctJurisdictions ? "jurisdictions" : "",
  ].filter((rule) => rule !== "")
  const head = table([
    ["roster", String(roster.rosterEpoch)],
    ["threshold", `${minSigners} of ${members.length}`],
    ["created", moment(roster.createdAt)],
    ["signer sets", rules.length === 0 ? "any" : `from distinct ${rules.join(", ")}`],
    ["digest to pin", toHex(digest)],
  ])
  const columns = ["ID", "NAME", "URL", "OPERATOR", "CLOUD", "JURISDICTION", "IDENTITY KEY"]
  const rows = members.map((member) => [
    String(member.identifier),
    member.name,
    member.url,
    member.operator || "-",
    member.cloud || "-",
    member.jurisdiction || "-",
    toHex(member.identityKey),
  ])
  return `${head}\n${table([columns, ...rows])}`
}

/** A roster for a program; channel keys are left out for their length. */
export function rosterJson(roster: Roster, digest: Bytes): Readonly<Record<string, unknown>> {
  const { members, previousDigest, ...rest } = roster
  return {
    digest: toHex(digest),
    ...rest,
    previousDigest: toHex(previousDigest),
    members: members.map(({ identityKey, channelKey: _, opaqueKey, ...member }) => ({
      ...member,
      identityKey: toHex(identityKey),
      opaqueKey: toHex(opaqueKey),
    })),
  }
}
