import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, fromHex, toHex } from "@lockkeeper/encoding"
import type { IncidentView, KeyView } from "./owner.ts"

/** Rows in columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length)
    })
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("")
}

/** A time for people, to the second, in UTC. */
export function moment(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ")} UTC`
}

/** A duration for people. */
export function duration(milliseconds: number): string {
  if (milliseconds < 60_000) return `${Math.ceil(milliseconds / 1000)} s`
  const minutes = Math.round(milliseconds / 60_000)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

/** Bytes from an argument. @throws LockKeeperError `invalid-request` naming `field`. */
export function hexArgument(text: string, field: string, length: number | null = null): Bytes {
  const size = length === null ? "" : `${length} bytes of `
  try {
    const bytes = fromHex(text.toLowerCase().replace(/^0x/, ""))
    if (length === null || bytes.length === length) return bytes
  } catch {
    // Falls through to the one message.
  }
  throw new LockKeeperError("invalid-request", `The ${field} is not ${size}hexadecimal.`, {
    field,
    remedy: length === null ? "Write pairs of digits 0-9a-f." : `Write ${length * 2} digits.`,
  })
}

/** A whole number from an option. @throws LockKeeperError `invalid-request` naming it. */
export function parseCount(text: string, field: string, least: number): number {
  const value = /^(0|[1-9]\d{0,4})$/.test(text) ? Number(text) : -1
  if (value >= least) return value
  throw new LockKeeperError(
    "invalid-request",
    `The ${field} is not a whole number from ${least}.`,
    {
      field,
      remedy: `Write for example --${field} ${Math.max(least, 2)}.`,
    },
  )
}

/** A key as JSON: ids and keys in hexadecimal, times in milliseconds. */
export function keyJson(key: KeyView): Readonly<Record<string, unknown>> {
  const { keyId, publicKey, ...rest } = key
  return { keyId: toHex(keyId), publicKey: toHex(publicKey), ...rest }
}

/** Everything about one key, for a person. */
export function keyText(key: KeyView): string {
  return table([
    ["key", toHex(key.keyId)],
    ["label", key.label === "" ? "-" : key.label],
    ["type", key.keyType],
    ["custody", custodyText(key)],
    ["state", key.state],
    ["created", moment(key.createdAt)],
    ["signs until", key.expiresAt === null ? "no end" : moment(key.expiresAt)],
    ["public key", toHex(key.publicKey)],
    ["shares", sharesText(key)],
  ])
}

/** What custody means for the owner: never shortened to a word that sounds better than it is. */
function custodyText({ custody, minSigners }: KeyView): string {
  if (custody === "self") {
    return `${custody}: no servers can sign without your device, nor it without ${minSigners} of them`
  }
  return (
    `${custody}: the servers hold every share; any ${minSigners} of them could sign without you, ` +
    "and do so only on your signed request"
  )
}

function sharesText({ custody, holders }: KeyView): string {
  const servers = `one at each of the servers ${holders.join(", ")}`
  return custody === "self"
    ? `${servers}; yours is kept there too, sealed, and opens here alone`
    : `${servers}; none anywhere else`
}

/** Notes about servers that did not do their part while the others finished the work. */
export function incidentText(incidents: readonly IncidentView[]): string {
  return incidents
    .map(({ server, name, message, evidence }) => {
      const proof = evidence === null ? "" : ` Proof: lockkeeper evidence verify ${evidence}`
      return `note: server ${server} "${name}": ${message}${proof}\n`
    })
    .join("")
}
