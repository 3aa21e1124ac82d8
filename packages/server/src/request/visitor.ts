import type { Bytes } from "@lockkeeper/encoding"

/** A person in an account's charter, as one key of theirs says. */
export interface Visitor {
  readonly accountId: Bytes
  readonly person: string
  /** Ed25519, 32 bytes. */
  readonly credential: Bytes
}

/** What every log entry about a person's doing notes. */
export function visitorNote({ person }: Pick<Visitor, "person">): string {
  return `person ${person}`
}
