import { equalBytes } from "@lockkeeper/encoding"
import type { Message } from "@lockkeeper/protocols"
import { signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { identityOf } from "../seeded.ts"
import { messageOf, type Recorded, saidOf } from "./drive.ts"
import { put } from "./messages.ts"
import { attackAt, type Scene, spokenSteps } from "./scene.ts"

/**
 * Messages out of place: of other runs, steps and participants, and two for one place.
 *
 * @param others - runs of other tries, rosters, batches and kinds, by what their messages are called.
 */
export function* replayAttacks<Task>(
  scene: Scene<Task>,
  others: Readonly<Record<string, Recorded<Task>>>,
): Iterable<Attack> {
  const steps = spokenSteps(scene)
  for (const step of steps) {
    const from = { "another session's message": scene.elsewhere, ...others }
    for (const [mutation, recorded] of Object.entries(from)) {
      const message = saidOf(recorded, step, scene.sender)
      if (message) yield* misplaced(scene, step, mutation, message)
    }
    for (const other of steps) {
      if (other === step) continue
      const message = messageOf(scene.honest, other, scene.sender)
      yield* misplaced(scene, step, `the message of ${other}`, message)
    }
    const author = scene.rounds.participants.find(
      (i) => i !== scene.sender && saidOf(scene.honest, step, i),
    )
    if (author !== undefined) {
      const message = messageOf(scene.honest, step, author)
      yield* misplaced(scene, step, "another participant's message", message)
    }
    yield* equivocations(scene, step)
  }
}

function* misplaced<Task>(
  scene: Scene<Task>,
  step: string,
  mutation: string,
  message: Message,
): Iterable<Attack> {
  yield* put(scene, step, mutation, [message])
  const told = { step, field: "message", mutation, by: "sender" as const, victim: "all" as const }
  yield attackAt(scene, told, answering(scene, step, [message]))
}

function answering<Task>(scene: Scene<Task>, step: string, messages: readonly Message[]) {
  return {
    dishonest: scene.sender,
    answers: (at: string, message: Message) => (at === step ? messages : [message]),
  }
}

/** Two signed messages for one place, in both orders, given to one coordinator. */
function* equivocations<Task>(scene: Scene<Task>, step: string): Iterable<Attack> {
  const truth = messageOf(scene.honest, step, scene.sender)
  const signer = identityOf(scene.sender)
  const again = saidOf(scene.elsewhere, step, scene.sender) as Message
  const lies = [
    signedAgain(truth, signer, { broadcast: truth.broadcast.slice(0, -1) }),
    signedAgain(truth, signer, { header: { previousDigest: new Uint8Array(32).fill(9) } }),
    // Faultless by itself: what a restored server would sign.
    signedAgain(truth, signer, { broadcast: again.broadcast, sealed: again.sealed }),
  ]
  const told = { step, field: "message", by: "sender" as const, victim: "all" as const }
  for (const [i, lie] of lies.entries()) {
    // Some messages say the same in every session.
    if (equalBytes(lie.header.bytes, truth.header.bytes)) continue
    for (const messages of [
      [truth, lie],
      [lie, truth],
    ]) {
      const mutation = `equivocation ${i}${messages[0] === lie ? ", reversed" : ""}`
      yield attackAt(scene, { ...told, mutation }, answering(scene, step, messages))
    }
  }
}
