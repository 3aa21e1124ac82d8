import { operatorIdOf } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"

/** Whoever a server of the roster says is its operator. */
export interface Operator {
  readonly server: Identifier
  /** Ed25519, 32 bytes. */
  readonly operatorKey: Bytes
  /** 32 bytes: stands in requests and logs where an account would. */
  readonly operatorId: Bytes
}

export function operatorOf(server: Identifier, operatorKey: Bytes): Operator {
  return { server, operatorKey, operatorId: operatorIdOf(operatorKey) }
}

/** What every log entry about an operator's doing notes. */
export function operatorNote({ server }: Pick<Operator, "server">): string {
  return `operator of server ${server}`
}
