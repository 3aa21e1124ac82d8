const WIDTH = 1024

/** Accepts each counter once, in any order within 1024 of the highest seen (as RFC 4303 3.4.3). */
export class ReplayWindow {
  #highest = -1
  readonly #seen = new Uint8Array(WIDTH)

  /** True, and marked, when the counter is new; false when it was seen or is too old to tell. */
  accept(counter: number): boolean {
    if (!Number.isSafeInteger(counter) || counter < 0) return false
    if (counter <= this.#highest - WIDTH) return false
    for (let i = Math.max(this.#highest + 1, counter - WIDTH + 1); i <= counter; i++) {
      this.#seen[i % WIDTH] = 0
    }
    this.#highest = Math.max(this.#highest, counter)
    if (this.#seen[counter % WIDTH] === 1) return false
    this.#seen[counter % WIDTH] = 1
    return true
  }
}
