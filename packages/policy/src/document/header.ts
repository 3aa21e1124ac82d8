import { BOUNDS, LARGEST_AMOUNT } from "../bounds.ts"
import {
  isName,
  isShortText,
  type Limit,
  type Member,
  type Per,
  type PolicyDocument,
  type Quorum,
  type Who,
  whoKey,
} from "./document.ts"
import { HeaderField } from "./header-fields.ts"

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }
const PERS: readonly Per[] = ["key", "principal", "policy"]

/** Everything of a policy but its rules. @throws PolicyError */
export function readHeader(source: string, header: string): Omit<PolicyDocument, "rules"> {
  const top = HeaderField.read(source, header)
  const fields = top.members(["name", "version"], ["roles", "limits", "quorums"])
  const roles = distinct(fields.find("roles")?.items(BOUNDS.roles) ?? [], nameIn, (role) => role)
  const limits = named(fields.find("limits"), BOUNDS.limits, readLimit)
  const quorums = named(fields.find("quorums"), BOUNDS.quorums, (field, name) =>
    readQuorum(field, name, roles),
  )
  return {
    name: nameIn(fields.get("name")),
    version: fields.get("version").integer(1, Number.MAX_SAFE_INTEGER),
    roles,
    limits,
    quorums,
  }
}

/** A record of named things, as a list in the order of their names. */
function named<T>(
  field: HeaderField | null,
  most: number,
  read: (field: HeaderField, name: string) => T,
): readonly T[] {
  const entries = [...(field?.entries() ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  if (entries.length > most) field?.fail("out-of-bounds", `more than ${most}`)
  return entries.map(([name, value]) => {
    if (!isName(name)) value.fail("bad-name", NAMES)
    return read(value, name)
  })
}

const NAMES = `a name has up to ${BOUNDS.nameCharacters} of a-z, 0-9 and hyphens within`

function nameIn(field: HeaderField): string {
  const name = field.text()
  return isName(name) ? name : field.fail("bad-name", NAMES)
}

function shortTextIn(field: HeaderField): string {
  const value = field.text()
  if (isShortText(value)) return value
  return field.fail("bad-name", `a text has 1 to ${BOUNDS.textCharacters} characters`)
}

/** Amounts are texts: a JSON number would be rounded by whoever writes the file. */
function amountIn(field: HeaderField): bigint {
  const digits = field.text()
  if (!/^(0|[1-9][0-9]{0,77})$/.test(digits)) {
    field.fail("out-of-bounds", "not decimal digits of the asset's smallest unit")
  }
  const amount = BigInt(digits)
  return amount <= LARGEST_AMOUNT ? amount : field.fail("out-of-bounds", "above 2^256 - 1")
}

function durationIn(field: HeaderField): number {
  const [, count, unit] = /^([1-9][0-9]{0,5})([mhd])$/.exec(field.text()) ?? []
  const milliseconds = Number(count) * (UNITS[unit ?? ""] ?? Number.NaN)
  if (milliseconds >= BOUNDS.shortestMs && milliseconds <= BOUNDS.longestMs) return milliseconds
  return field.fail("out-of-bounds", "not a duration such as 90m, 24h or 30d, to 366d")
}

function perIn(field: HeaderField | null): Per {
  const word = field?.text() ?? "key"
  return PERS.find((per) => per === word) ?? (field as HeaderField).fail("wrong-type", ANY_PER)
}

const ANY_PER = `counts per ${PERS.join(", ")}`

function readLimit(field: HeaderField, name: string): Limit {
  const kind = field.entries().get("kind")
  switch (kind?.text()) {
    case "transaction":
    case "fee": {
      const fields = field.members(["kind", "asset", "most"], [])
      const amount = { asset: shortTextIn(fields.get("asset")), most: amountIn(fields.get("most")) }
      return { kind: kind.text() === "fee" ? "fee" : "transaction", name, ...amount }
    }
    case "window": {
      const fields = field.members(["kind", "asset", "most", "over"], ["per"])
      const amount = { asset: shortTextIn(fields.get("asset")), most: amountIn(fields.get("most")) }
      const overMs = durationIn(fields.get("over"))
      return { kind: "window", name, ...amount, overMs, per: perIn(fields.find("per")) }
    }
    case "velocity": {
      const fields = field.members(["kind", "requests", "over"], ["per"])
      const requests = fields.get("requests").integer(1, BOUNDS.requests)
      const overMs = durationIn(fields.get("over"))
      return { kind: "velocity", name, requests, overMs, per: perIn(fields.find("per")) }
    }
    case undefined:
      return field.fail("missing-field", 'has no "kind"')
    default:
      return kind?.fail("wrong-type", LIMITS) as never
  }
}

const LIMITS = "a limit is a transaction, a fee, a window or a velocity"

function readQuorum(field: HeaderField, name: string, roles: readonly string[]): Quorum {
  const fields = field.members(["need", "members"], ["veto", "requester-may-approve"])
  const need = fields.get("need").integer(1, BOUNDS.weight)
  const members = distinct(
    fields.get("members").items(BOUNDS.members),
    (member) => readMember(member, roles),
    (member) => whoKey(member.who),
  )
  const veto = distinct(
    fields.find("veto")?.items(BOUNDS.members) ?? [],
    (who) => readWho(who, roles, []).who,
    whoKey,
  )
  const everybody = members.reduce((sum, { weight }) => sum + weight, 0)
  if (members.every(({ who }) => who.kind === "person") && everybody < need) {
    field.fail("unreachable", `all members together weigh ${everybody}, ${need} are needed`)
  }
  const requester = fields.find("requester-may-approve")?.boolean() ?? false
  return { name, need, members, veto, requesterMayApprove: requester }
}

function readMember(field: HeaderField, roles: readonly string[]): Member {
  const { who, weight } = readWho(field, roles, ["weight"])
  return { who, weight: weight?.integer(1, BOUNDS.weight) ?? 1 }
}

function readWho(
  field: HeaderField,
  roles: readonly string[],
  more: readonly string[],
): { who: Who; weight: HeaderField | null } {
  const fields = field.members([], ["role", "person", ...more])
  const weight = more.includes("weight") ? fields.find("weight") : null
  const role = fields.find("role")
  const person = fields.find("person")
  if ((role === null) === (person === null)) field.fail("wrong-type", "either a role or a person")
  if (person) return { who: { kind: "person", person: shortTextIn(person) }, weight }
  const name = nameIn(role as HeaderField)
  if (!roles.includes(name)) role?.fail("unknown-role", `no role "${name}" among the roles`)
  return { who: { kind: "role", role: name }, weight }
}

/** What `items` say, ascending by `key`; the second of a key is refused. */
function distinct<T>(
  items: readonly HeaderField[],
  read: (field: HeaderField) => T,
  key: (value: T) => string,
): readonly T[] {
  const found = new Map<string, T>()
  for (const item of items) {
    const value = read(item)
    if (found.has(key(value))) item.fail("doubled", `${key(value)} is there twice`)
    found.set(key(value), value)
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
}
