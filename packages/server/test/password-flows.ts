import { changePasswordBody, type SignedRequest } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { expectKind, type TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

/** One step of an owner's operation, over an open session. */
export async function act(
  session: TestSession,
  request: SignedRequest,
  step: number,
  input: Bytes,
): Promise<Bytes> {
  return expectKind(await session.call({ kind: "act", request, step, input }), "act").output
}

export interface PasswordChange {
  readonly version: number
  readonly activateAt: readonly Identifier[]
  readonly finaliseAt: readonly Identifier[]
}

/** Changes the password over sessions with every server, as far as it says; activates more later. */
export async function changePassword(
  owner: TestOwner,
  sessions: readonly TestSession[],
  next: string,
  { version, activateAt, finaliseAt }: PasswordChange,
): Promise<{ activate(sessions: readonly TestSession[]): Promise<void> }> {
  if (owner.keys === null) throw new Error("log in first")
  const { registration, dealings } = owner.deal(next, version, owner.keys)
  const registrationDigest = opaque.registrationDigest(registration)
  const body = encode(changePasswordBody, { opaqueVersion: version, registrationDigest })
  const request = owner.sign(owner.request("account.change-password", body))
  const confirmations = new Map<Identifier, Bytes>()
  for (const session of sessions) {
    const dealing = dealings.get(session.to.identifier) as opaque.AccountDealing
    const input = encode(opaque.accountDealingCodec, dealing)
    confirmations.set(session.to.identifier, await act(session, request, 1, input))
  }
  const encoded = encode(opaque.confirmationsCodec, confirmations)
  const among = (chosen: readonly Identifier[]) =>
    sessions.filter(({ to }) => chosen.includes(to.identifier))
  const activate = async (at: readonly TestSession[]) => {
    for (const session of at) await act(session, request, 2, encoded)
  }
  await activate(among(activateAt))
  for (const session of among(finaliseAt)) await act(session, request, 3, EMPTY)
  return { activate }
}
