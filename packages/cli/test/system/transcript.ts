import {
  commitmentList,
  decodeRequest,
  requestDigest,
  type SignedRequest,
  signStepInput,
  signStepOutput,
} from "@lockkeeper/api"
import { type Bytes, DecodeError, decode, toHex } from "@lockkeeper/encoding"
import {
  frost,
  headerCodec,
  type Message,
  messageCodec,
  type PublicKeyPackage,
} from "@lockkeeper/protocols"

/** One step that a server was asked for, with its answer where one came. */
export interface AskedStep {
  readonly server: number
  readonly operation: string
  /** Digest of the request, in hexadecimal: by it the server keeps its answers. */
  readonly request: string
  readonly step: number
  readonly input: Bytes
  /** Null when no answer came: the server may have done the step all the same. */
  output: Bytes | null
  /** Where the server says it logged the step. */
  log: { readonly index: number; readonly head: Bytes } | null
}

/** The part of the SDK's principal that is listened to. */
export interface Principal {
  request(operation: string, among: readonly number[], body: Bytes): SignedRequest
  act(
    server: number,
    request: SignedRequest,
    step: number,
    input: Bytes,
    signal: AbortSignal,
    callMs?: number,
  ): Promise<{ output: Bytes; log: { index: number; head: Bytes } }>
}

/** Everything that the principals of this process ask and are answered. */
export class Transcript {
  readonly steps: AskedStep[] = []
  /** Whoever asked last. */
  principal: Principal | null = null

  /** The SDK gives out no shares, so this listens where they come out of the session channel. */
  async listen(): Promise<void> {
    const inside = new URL("./principal.ts", import.meta.resolve("@lockkeeper/client")).href
    const { Principal } = (await import(inside)) as { Principal: { prototype: Principal } }
    const { act } = Principal.prototype
    const transcript = this
    Principal.prototype.act = async function (server, request, step, input, ...rest) {
      transcript.principal = this
      const { operation } = decodeRequest(request)
      const asked: AskedStep = {
        ...{ server, operation, request: toHex(requestDigest(request)), step, input },
        ...{ output: null, log: null },
      }
      transcript.steps.push(asked)
      const answer = await act.call(this, server, request, step, input, ...rest)
      asked.output = answer.output
      asked.log = answer.log
      return answer
    }
  }

  /** The packages that a server was asked to sign, oldest first. */
  packagesFor(server: number): frost.SigningPackage[] {
    const asked = this.steps.filter((step) => step.server === server && step.operation === "sign")
    return asked.map(packageOf)
  }

  /** Commitments that a server has given out, oldest first. */
  commitmentsOf(server: number): Message[] {
    return this.steps
      .filter((step) => step.server === server)
      .flatMap(({ operation, output }) => {
        if (output === null) return []
        if (operation === "sign.prepare") return decode(commitmentList, output)
        return operation === "sign" ? decode(signStepOutput, output).commitments : []
      })
      .map((encoded) => decode(messageCodec, encoded))
  }

  /**
   * Each share that a server has let out, whether it came here or was only kept in its store for a
   * retry, by the commitment whose nonces it used up: the packages it was made for.
   *
   * @param kept - outputs that the server keeps.
   * @param keys - the keys that were signed with, by their id in hexadecimal.
   */
  sharesOf(
    server: number,
    kept: readonly Bytes[],
    keys: ReadonlyMap<string, PublicKeyPackage>,
  ): Map<string, Set<string>> {
    const packages = new Map(
      this.packagesFor(server).map((pkg) => {
        const key = keys.get(toHex(pkg.keyId)) as PublicKeyPackage
        return [toHex(frost.signingPackageDigest(pkg, key)), pkg]
      }),
    )
    const received = this.steps.flatMap((step) =>
      step.server === server && step.operation === "sign" && step.output !== null
        ? [step.output]
        : [],
    )
    const uses = new Map<string, Set<string>>()
    for (const output of [...received, ...kept]) {
      const share = shareIn(output)
      if (share === null) continue
      const { sessionId } = decode(headerCodec, share.header.bytes)
      const pkg = packages.get(toHex(sessionId))
      if (pkg === undefined) throw new Error("a share for a package that nobody asked for")
      const commitment = frost.commitmentIdIn(pkg, server)
      if (commitment === null) throw new Error("a share without a commitment of its signer")
      const nonce = `${toHex(pkg.keyId)}-${toHex(commitment)}`
      const made = `${toHex(sessionId)} ${toHex(share.broadcast)}`
      uses.set(nonce, (uses.get(nonce) ?? new Set()).add(made))
    }
    return uses
  }
}

function packageOf({ input }: AskedStep): frost.SigningPackage {
  return decode(frost.signingPackageCodec, decode(signStepInput, input).signingPackage)
}

/** The signature share in an output, or null when it is another operation's. */
function shareIn(output: Bytes): Message | null {
  try {
    const share = decode(messageCodec, decode(signStepOutput, output).share)
    const { protocol, step } = decode(headerCodec, share.header.bytes)
    return protocol === "frost" && step === 2 ? share : null
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
