import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Abort, Message, Outcome } from "@lockkeeper/protocols"
import type { Verdicts } from "../harness.ts"
import type { Asked, Delivery, Meddling, Response, Rounds, Stepped } from "./rounds.ts"

export interface Checkpoint<Task> {
  readonly task: Task
  readonly stored: ReadonlyMap<Identifier, Bytes>
}

/** A run with everything that was sent and the places to begin an attack from. */
export interface Recorded<Task> {
  readonly messages: ReadonlyMap<string, Message>
  /** Before each step, by its name, and at the end. */
  readonly checkpoints: ReadonlyMap<string, Checkpoint<Task>>
  /** What each participant said to what it was given: the same again gets the same answer. */
  readonly said: ReadonlyMap<Delivery, Outcome<Stepped>>
}

/** Name of the last checkpoint. */
export const END = "end"

const slotName = (step: string, sender: Identifier) => `${step}/${sender}`

const NOTHING = new Uint8Array(0)

/** A dishonest participant may be caught in its own contradictions: then it falls silent. */
function orSilent<T>(dishonest: boolean, act: () => T): T | null {
  if (!dishonest) return act()
  try {
    return act()
  } catch {
    return null
  }
}

interface Run<Task> {
  readonly rounds: Rounds<Task>
  readonly meddling: Meddling
  readonly stored: Map<Identifier, Bytes>
  readonly aborts: Map<Identifier, Abort>
  /** Answers that are known already. */
  readonly said: ReadonlyMap<Delivery, Outcome<Stepped>>
  readonly note: (delivery: Delivery, outcome: Outcome<Stepped>) => void
}

function delivered(run: Run<unknown>, to: Identifier, step: string, delivery: Delivery): Delivery {
  const { delivers } = run.meddling
  if (!delivers) return delivery
  let same = true
  const changed = Object.entries(delivery).map(([name, messages]) => {
    const got = messages.flatMap((message) => run.meddling.delivers?.(to, message, step) ?? [])
    same &&= got.length === messages.length && got.every((one, i) => one === messages[i])
    return [name, got]
  })
  return same ? delivery : Object.fromEntries(changed)
}

function answersOf<Task>(run: Run<Task>, task: Task, { step, deliveries }: Asked): Response[] {
  const { rounds, meddling, stored, aborts } = run
  const responses: Response[] = []
  for (const [from, messages] of deliveries) {
    const isLiar = from === meddling.dishonest
    const delivery = delivered(run, from, step, messages)
    const given = { stored: stored.get(from) ?? NOTHING, delivery }
    const outcome = run.said.get(delivery) ?? orSilent(isLiar, () => rounds.step(task, from, given))
    if (outcome === null) continue
    run.note(delivery, outcome)
    if (!outcome.ok) {
      aborts.set(from, outcome.abort)
      continue
    }
    const { message } = outcome.value
    stored.set(from, outcome.value.stored)
    let sent: readonly Message[] = [message]
    if (isLiar && meddling.answers) {
      sent = meddling.answers(step, message) ?? []
      const [lie] = sent
      if (lie && lie !== message) {
        const { header, broadcast } = lie
        const state = outcome.value.stored
        const next = orSilent(true, () => rounds.standBy(state, step, { header, broadcast }))
        if (next) stored.set(from, next)
      }
    }
    const collected = sent.flatMap((one) => meddling.collects?.(step, from, one) ?? [one])
    responses.push(...collected.map((one) => ({ from, message: one })))
  }
  return responses
}

function drive<Task>(
  run: Run<Task>,
  from: Task,
  atStep: (name: string, checkpoint: Checkpoint<Task>) => void = () => undefined,
): Task {
  let task = from
  for (let asked = run.rounds.asked(task); asked; asked = run.rounds.asked(task)) {
    atStep(asked.step, { task, stored: new Map(run.stored) })
    task = run.rounds.advance(task, answersOf(run, task, asked))
  }
  atStep(END, { task, stored: new Map(run.stored) })
  return task
}

/** Runs once and keeps what was sent. @param meddling - a lie that the attacks begin with. */
export function record<Task>(
  rounds: Rounds<Task>,
  meddling: Meddling = { dishonest: null },
): Recorded<Task> {
  const messages = new Map<string, Message>()
  const checkpoints = new Map<string, Checkpoint<Task>>()
  const said = new Map<Delivery, Outcome<Stepped>>()
  const collects = (step: string, sender: Identifier, message: Message) => {
    messages.set(slotName(step, sender), message)
    return [message]
  }
  const run = {
    ...{ rounds, meddling: { ...meddling, collects }, stored: new Map(), aborts: new Map() },
    said: new Map(),
    note: (delivery: Delivery, outcome: Outcome<Stepped>) => said.set(delivery, outcome),
  }
  drive(run, rounds.begin(), (name, checkpoint) => checkpoints.set(name, checkpoint))
  return { messages, checkpoints, said }
}

export function messageOf<Task>(
  { messages }: Recorded<Task>,
  step: string,
  sender: Identifier,
): Message {
  const message = messages.get(slotName(step, sender))
  if (!message) throw new Error(`participant ${sender} said nothing at ${step}`)
  return message
}

/** The message, or undefined where it was not its author's turn. */
export function saidOf<Task>(
  { messages }: Recorded<Task>,
  step: string,
  sender: Identifier,
): Message | undefined {
  return messages.get(slotName(step, sender))
}

export function checkpointOf<Task>(recorded: Recorded<Task>, name: string): Checkpoint<Task> {
  const checkpoint = recorded.checkpoints.get(name)
  if (!checkpoint) throw new Error(`the run never came to ${name}`)
  return checkpoint
}

/** Passes an attack on and notes whether it changed anything. */
class Watched implements Meddling {
  readonly #meddling: Meddling
  readonly dishonest: Identifier | null
  changed = false

  constructor(meddling: Meddling) {
    this.#meddling = meddling
    this.dishonest = meddling.dishonest
  }

  #note(before: Message, after: readonly Message[] | null | undefined) {
    if (after === null || (after && (after.length !== 1 || after[0] !== before))) {
      this.changed = true
    }
    return after
  }

  answers(step: string, message: Message): readonly Message[] | null {
    const { answers } = this.#meddling
    return answers ? (this.#note(message, answers(step, message)) ?? null) : [message]
  }

  collects(step: string, sender: Identifier, message: Message): readonly Message[] {
    return this.#note(message, this.#meddling.collects?.(step, sender, message)) ?? [message]
  }

  delivers(recipient: Identifier, message: Message, step: string): readonly Message[] {
    return this.#note(message, this.#meddling.delivers?.(recipient, message, step)) ?? [message]
  }
}

/** Runs an attack from the step at which it begins and says how it ended. */
export function attacked<Task>(
  rounds: Rounds<Task>,
  recorded: Recorded<Task>,
  step: string,
  meddling: Meddling,
): Verdicts {
  const watched = new Watched(meddling)
  const from = checkpointOf(recorded, step)
  const run = {
    ...{ rounds, meddling: watched, aborts: new Map<Identifier, Abort>() },
    ...{ stored: new Map(from.stored), said: recorded.said, note: () => undefined },
  }
  const task = drive(run, from.task)
  if (!watched.changed) throw new Error("the attack was never carried out")
  return endedAs(rounds, run, task, meddling.dishonest)
}

/** Drives a run in which nobody meddles but its coordinator, from its beginning. */
export function driven<Task>(rounds: Rounds<Task>): Verdicts {
  const run = {
    ...{ rounds, meddling: { dishonest: null }, aborts: new Map<Identifier, Abort>() },
    ...{ stored: new Map(), said: new Map(), note: () => undefined },
  }
  return endedAs(rounds, run, drive(run, rounds.begin()), null)
}

function endedAs<Task>(
  rounds: Rounds<Task>,
  { stored, aborts }: Pick<Run<Task>, "stored" | "aborts">,
  task: Task,
  dishonest: Identifier | null,
): Verdicts {
  const honest = rounds.participants.filter((i) => i !== dishonest)
  const ending = rounds.end(task, stored, honest)
  const ended = honest.flatMap((i) => aborts.get(i) ?? [])
  const { verifyKeys } = rounds
  return { ...ending, verifyKeys, aborts: [...ending.aborts, ...ended] }
}
