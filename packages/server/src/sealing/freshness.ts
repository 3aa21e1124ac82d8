import { demandedVersion } from "../ports/row-store.ts"
import { type Change, StoreConflict, type Table } from "../ports/store.ts"

/** Rows of one table that a process remembers; the one unused for longest makes room. */
const MAX_REMEMBERED = 65_536

// The ids of these rows are random and never used again: whoever sees one again sees a rollback.
const ONE_TIME: ReadonlySet<Table> = new Set(["nonces", "ot-checks", "presignatures"])

interface Known {
  version: number
  /** Which of this process's observations it is. */
  observation: number
}

/** What was known of a row when the database was asked for it. */
export interface Before {
  readonly known: Known | null
  readonly version: number
  readonly takes: number
}

/** A change that the database has been given and has not yet answered. */
interface Claim {
  readonly change: Exclude<Change, { kind: "append" }>
  /** Another change that demands the same version of the row was committed meanwhile. */
  beaten: boolean
}

/**
 * What this process knows of the newest version of rows, so that a database is found out that gives
 * back an older one, hides one, or lets two changes replace the same version. What was committed
 * while a read was under way is not held against it. The memory is bounded and ends with the
 * process: a rollback behind a restart is the log's to detect.
 */
export class Freshness {
  readonly #known = new Map<Table, Map<string, Known>>()
  readonly #claims = new Map<string, Claim[]>()
  #observations = 0
  #takes = 0

  /** To be asked before the database is: then nothing that happens meanwhile is held against it. */
  before(table: Table, id: string): Before {
    const known = this.#known.get(table)?.get(id) ?? null
    return { known, version: known?.version ?? 0, takes: this.#takes }
  }

  /** The same for many rows whose ids the answer tells: to be asked before, and called after. */
  beforeAll(table: Table): (id: string) => Before {
    const [observations, takes] = [this.#observations, this.#takes]
    return (id) => {
      const before = this.before(table, id)
      const old = before.known !== null && before.known.observation <= observations
      return old ? { ...before, takes } : { known: null, version: 0, takes }
    }
  }

  /** False when the row is older than what was known of it before, or hidden. */
  accept(table: Table, id: string, version: number | "absent", before: Before): boolean {
    // What was taken meanwhile may be absent, or new from the start.
    const known = this.#known.get(table)?.get(id)
    const holds = known !== undefined && known === before.known
    if (version === "absent") return !holds || ONE_TIME.has(table) || this.#isLeaving(table, id)
    if (holds && version < before.version) return false
    if (before.takes === this.#takes) this.#remember(table, id, version)
    return true
  }

  /** @throws StoreConflict when a change demands a version that is gone. */
  begin(batch: readonly Change[]): readonly Claim[] {
    const claims: Claim[] = []
    for (const change of batch) {
      if (change.kind === "append") continue
      const { table, id } = change
      const known = this.#known.get(table)?.get(id)?.version ?? 0
      const demanded = demandedVersion(change)
      const outdated = (demanded === "absent" ? 0 : demanded) < known
      if (outdated && !this.#isLeaving(table, id)) throw new StoreConflict(table, id)
      claims.push({ change, beaten: false })
    }
    for (const claim of claims) this.#claimsOf(claim).push(claim)
    return claims
  }

  /** After the commit. Returns the table of a row that was another's before, or null. */
  committed(claims: readonly Claim[]): Table | null {
    for (const { change } of claims) {
      if (change.kind === "expect") continue
      for (const other of this.#claimsOf({ change })) {
        const rival = !claims.includes(other) && other.change.kind !== "expect"
        if (rival && demandedVersion(other.change) === demandedVersion(change)) other.beaten = true
      }
      const { table, id } = change
      if (change.kind === "take") this.#takes += 1
      if (change.kind === "put") {
        this.#remember(table, id, change.ifVersion === "absent" ? 1 : change.ifVersion + 1)
      } else if (ONE_TIME.has(table)) this.#remember(table, id, Number.POSITIVE_INFINITY)
      else this.#known.get(table)?.delete(id)
    }
    return claims.find(({ beaten }) => beaten)?.change.table ?? null
  }

  /** Whatever became of the commit. */
  end(claims: readonly Claim[]): void {
    for (const claim of claims) {
      const left = this.#claimsOf(claim).filter((other) => other !== claim)
      const place = placeOf(claim)
      if (left.length === 0) this.#claims.delete(place)
      else this.#claims.set(place, left)
    }
  }

  #claimsOf(claim: Pick<Claim, "change">): Claim[] {
    const place = placeOf(claim)
    const claims = this.#claims.get(place) ?? []
    this.#claims.set(place, claims)
    return claims
  }

  #isLeaving(table: Table, id: string): boolean {
    const claims = this.#claims.get(`${table}/${id}`) ?? []
    return claims.some(({ change }) => change.kind === "take")
  }

  #remember(table: Table, id: string, version: number): void {
    const rows = this.#known.get(table) ?? new Map<string, Known>()
    this.#known.set(table, rows)
    const known = rows.get(id) ?? { version: 0, observation: 0 }
    if (version > known.version) {
      known.version = version
      this.#observations += 1
      known.observation = this.#observations
    }
    rows.delete(id)
    rows.set(id, known)
    if (rows.size > MAX_REMEMBERED) rows.delete(rows.keys().next().value as string)
  }
}

function placeOf({ change }: Pick<Claim, "change">): string {
  return `${change.table}/${change.id}`
}
