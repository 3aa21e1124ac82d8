import type { Limit, Quorum } from "../src/document/document.ts"
import type { IntentFacts, RequestFacts } from "../src/index.ts"
import type { Atom, RandomPolicy, RandomRule } from "./random-policies.ts"

/**
 * What a policy means, written down without Cedar, counters or anything else of the package: sums
 * over the whole past, people as sets. `awaited` takes open quorums for approved.
 */
export function reference(
  { rules, limits, quorums }: RandomPolicy,
  f: RequestFacts,
  past: readonly RequestFacts[],
  awaited = false,
): { allow: boolean; errors: boolean; rules: string[] } {
  const moved = [...(f.intent?.transfers ?? []), ...(f.intent?.fee ? [f.intent.fee] : [])]
  const exact = (n: unknown) => typeof n === "bigint" && n >= 0n && n < 2n ** 256n
  if (!Number.isSafeInteger(f.timeMs) || f.timeMs < 0 || !moved.every((m) => exact(m.amount)))
    return { allow: false, errors: true, rules: [] }
  const of = (i: IntentFacts | null, asset: string) =>
    i?.transfers.filter((t) => t.asset === asset) ?? []
  const sum = (r: RequestFacts, asset: string) =>
    of(r.intent, asset).reduce((s, t) => s + t.amount, 0n)
  const counts = (l: Extract<Limit, { overMs: number }>, r: RequestFacts) =>
    Math.floor(r.timeMs / Math.ceil(l.overMs / 128)) >=
      Math.floor(f.timeMs / Math.ceil(l.overMs / 128)) - 128 &&
    r.action === f.action &&
    (l.per !== "key" || r.key?.id === f.key?.id) &&
    (l.per !== "principal" || r.principal.id === f.principal.id)
  const beyond = (l: Limit): boolean => {
    if (l.kind === "velocity")
      return (
        (l.per !== "key" || !!f.key) && past.filter((r) => counts(l, r)).length + 1 > l.requests
      )
    if (f.intent?.complete === false) return true
    if (l.kind === "fee") return f.intent?.fee?.asset === l.asset && f.intent.fee.amount > l.most
    const before = l.kind === "window" ? past.filter((r) => counts(l, r)) : []
    return (
      of(f.intent, l.asset).length > 0 &&
      [...before, f].reduce((s, r) => s + sum(r, l.asset), 0n) > l.most
    )
  }
  const covers = (own: readonly Limit[]) => {
    const assets = (...kinds: string[]) =>
      own.flatMap((l) => (kinds.includes(l.kind) && l.kind !== "velocity" ? [l.asset] : []))
    const [amounts, fees] = [assets("transaction", "window"), assets("fee")]
    return (
      (!amounts.length ||
        (!!f.intent?.transfers.length &&
          f.intent.transfers.every((t) => amounts.includes(t.asset)))) &&
      (!fees.length || (!!f.intent && (!f.intent.fee || fees.includes(f.intent.fee.asset))))
    )
  }
  const approved = (q: Quorum): boolean => {
    const given = (p: string) => f.approvals.filter((a) => a.person === p)
    const fits = (w: Quorum["veto"][number], p: string) =>
      w.kind === "person" ? w.person === p : given(p).some((a) => a.roles.includes(w.role))
    const people = [...new Set(f.approvals.map((a) => a.person))],
      no = (p: string) => given(p).some((a) => a.verdict === "veto")
    if (people.some((p) => no(p) && q.veto.some((w) => fits(w, p)))) return false
    const votes = people.filter((p) => !no(p) && (q.requesterMayApprove || p !== f.principal.id))
    return (
      awaited ||
      votes.reduce(
        (s, p) => s + Math.max(0, ...q.members.map((m) => (fits(m.who, p) ? m.weight : 0))),
        0,
      ) >= q.need
    )
  }
  const applies = (r: RandomRule) => {
    const own = limits.filter((l) => r.limits.includes(l.name)),
      agreed = r.quorums.every((n) => approved(quorums.find((q) => q.name === n)!))
    const open =
      r.effect === "permit"
        ? agreed && !own.some(beyond) && covers(own)
        : !(own.length && !own.some(beyond)) && !(r.quorums.length && agreed)
    return (
      (r.role === null || f.principal.roles.includes(r.role)) &&
      (r.action === null || r.action === f.action) &&
      r.when.every((a) => holds(a, f)) &&
      !r.unless.some((a) => holds(a, f)) &&
      open
    )
  }
  try {
    const [permits, forbids] = (["permit", "forbid"] as const).map((e) =>
      rules
        .filter((r) => r.effect === e)
        .filter(applies)
        .map((r) => r.id)
        .sort(),
    )
    return {
      allow: !!permits!.length && !forbids!.length,
      errors: false,
      rules: forbids!.length ? forbids! : permits!,
    }
  } catch {
    return { allow: false, errors: true, rules: [] }
  }
}

/** One condition; throws where Cedar's 64 bits do not hold the product. */
export function holds(atom: Atom, f: RequestFacts): boolean {
  if (atom.of === "hour") return Math.floor(f.timeMs / 3_600_000) % 24 < atom.below
  if (atom.of === "weekday") return (new Date(f.timeMs).getUTCDay() || 7) === atom.is
  if (atom.of === "kind") return f.principal.kind === atom.is
  if (atom.of === "custody") return f.key?.custody === atom.is
  if (atom.of === "chain") return f.intent?.chain === atom.is
  if (atom.of === "asset") return f.intent!.transfers.some((t) => t.asset === atom.is)
  if (atom.of === "to")
    return (
      f.intent!.transfers.length > 0 && f.intent!.transfers.every((t) => atom.among.includes(t.to))
    )
  if (atom.of === "unwarned") return f.intent!.warnings.length === 0
  if (BigInt(f.timeMs) * atom.times >= 2n ** 63n) throw new RangeError("overflow")
  return BigInt(f.timeMs) * atom.times > 0n
}
