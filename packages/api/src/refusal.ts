import { create } from "@bufbuild/protobuf"
import { BytesValueSchema } from "@bufbuild/protobuf/wkt"
import { Code, ConnectError } from "@connectrpc/connect"
import { codeFromString } from "@connectrpc/connect/protocol-connect"
import { DecodeError, decode, encode } from "@lockkeeper/encoding"
import { errorBody, errorStatus, LockKeeperError } from "./errors.ts"

/**
 * A refusal that no session can carry, because there is none (yet, or any more): the ErrorBody
 * travels as a detail of the gRPC status. It is as trustworthy as TLS, so clients act on it only
 * by trying again or elsewhere.
 */
export function refusalToConnect(error: LockKeeperError, server: number): ConnectError {
  const body = error.toBody(server)
  const detail = create(BytesValueSchema, { value: encode(errorBody, body) })
  const code = codeFromString(errorStatus(error.code)) ?? Code.Internal
  return new ConnectError(body.message, code, undefined, [
    { desc: BytesValueSchema, value: detail },
  ])
}

/** The refusal in a failed call, or null when the failure carries none: the network's own. */
export function refusalFromConnect(error: ConnectError): LockKeeperError | null {
  const [detail] = error.findDetails(BytesValueSchema)
  if (detail === undefined) return null
  try {
    return LockKeeperError.fromBody(decode(errorBody, detail.value))
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    return null
  }
}
