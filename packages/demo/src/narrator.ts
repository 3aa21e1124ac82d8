import type { Writable } from "node:stream"

/** Says in plain words what happens, and keeps the time that each named step took. */
export class Narrator {
  readonly #output: Writable
  readonly #ms: Record<string, number> = {}
  #number = 0

  /** @param output - where people read; a program's last line goes elsewhere. */
  constructor(output: Writable) {
    this.#output = output
  }

  /** Milliseconds of each step so far. */
  get ms(): Readonly<Record<string, number>> {
    return { ...this.#ms }
  }

  say(text: string): void {
    this.#output.write(`${text}\n`)
  }

  /**
   * Announces a numbered step, does it, and says what came of it.
   *
   * @param name - under which its time is reported.
   */
  async step<T>(
    name: string,
    announcement: string,
    work: () => Promise<T>,
    outcome: (result: T) => string,
  ): Promise<T> {
    this.#number += 1
    this.say(`\n${this.#number}. ${announcement}`)
    const started = performance.now()
    const result = await work()
    const elapsed = performance.now() - started
    this.#ms[name] = Math.round(elapsed * 10) / 10
    for (const line of outcome(result).split("\n")) this.say(`   ${line}`)
    this.say(`   (${Math.round(elapsed)} ms)`)
    return result
  }
}
