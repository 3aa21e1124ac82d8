import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Code, ConnectError } from "@connectrpc/connect"
import { codeFromString } from "@connectrpc/connect/protocol-connect"
import {
  ERROR_CODES,
  errorBody,
  errorStatus,
  LockKeeperError,
  refusalFromConnect,
  refusalToConnect,
} from "@lockkeeper/api"
import { decode, encode } from "@lockkeeper/encoding"

describe("an error", () => {
  it("crosses the wire with its code, field, remedy, server and guesses", () => {
    for (const code of ERROR_CODES) {
      const error = new LockKeeperError(code, "What happened.", {
        field: "a.field",
        remedy: "What to do.",
        guessesRemaining: 3,
      })
      const body = decode(errorBody, encode(errorBody, error.toBody(2)))
      const received = LockKeeperError.fromBody(body)
      assert.deepEqual(received.toBody(2), error.toBody(2))
      assert.equal(received.server, 2)
      assert.equal(received.retry, error.retry)
    }
    assert.equal(ERROR_CODES.length, 26)
  })

  it("cannot fail to encode, however long its texts are", () => {
    const long = "€".repeat(5000)
    const error = new LockKeeperError("internal", long, { field: long, remedy: long })
    assert.ok(encode(errorBody, error.toBody(1)).length < 1200)
  })

  it("carries no cause over the wire", () => {
    const error = new LockKeeperError("internal", "x", { cause: new Error("canary") })
    assert.doesNotMatch(JSON.stringify(error.toBody(1)), /canary/)
  })

  it("maps every code to a gRPC status that exists", () => {
    for (const code of ERROR_CODES)
      assert.notEqual(codeFromString(errorStatus(code)), undefined, code)
  })
})

describe("a refusal outside a session", () => {
  it("comes back as the error it was", () => {
    const error = new LockKeeperError("session-ended", "The session is gone.", {
      field: "sessionId",
      remedy: "Open another.",
    })
    const failure = refusalToConnect(error, 3)
    assert.equal(failure.code, Code.Unauthenticated)
    const received = refusalFromConnect(ConnectError.from(failure))
    assert.deepEqual(received?.toBody(3), error.toBody(3))
  })

  it("is not seen in a failure of the network, nor in a detail that is none", () => {
    assert.equal(refusalFromConnect(new ConnectError("down", Code.Unavailable)), null)
    const failure = refusalToConnect(new LockKeeperError("internal", "x"), 1)
    const [detail] = failure.details as unknown as { value: { value: Uint8Array } }[]
    assert.ok(detail)
    detail.value.value = new Uint8Array([255])
    assert.equal(refusalFromConnect(failure), null)
  })
})
