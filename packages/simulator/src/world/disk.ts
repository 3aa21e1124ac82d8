import type { Bytes } from "@lockkeeper/encoding"
import type { LogPosition, RowChange } from "@lockkeeper/server"
import { StoreUnavailable } from "@lockkeeper/server"
import { DiskContent } from "./disk-content.ts"
import type { SeededRandomness } from "./seeded-randomness.ts"
import { SimulatedRowStore } from "./simulated-row-store.ts"
import type { VirtualClock } from "./virtual-clock.ts"

/** How long a disk takes at most, milliseconds of virtual time; 0 is at once. */
export interface DiskLatency {
  readonly readMs: number
  readonly commitMs: number
}

/** An earlier state of a disk, to be put back. */
export interface DiskSnapshot {
  readonly content: DiskContent
  /** What an orderly stop had left beside the database when the copy was made. */
  readonly anchor: Bytes | null
}

/** What a disk tells of itself to whoever watches the world. */
export interface DiskWatcher {
  /** A batch is durable from now on; its commit may not have resolved, and never may. */
  applied(batch: readonly RowChange[], positions: readonly LogPosition[], note: unknown): void
  /** The power fails at this moment. */
  crashed(when: "before" | "after"): void
}

const FAST: DiskLatency = { readMs: 0, commitMs: 0 }

/** What a simulated disk takes from its world; by default it is alone, fast and reliable. */
export interface DiskSurroundings {
  readonly clock: VirtualClock
  readonly randomness: SeededRandomness
  readonly watcher: DiskWatcher
  readonly latency?: DiskLatency
}

/**
 * One server's disk, which survives its processes. It crashes before or after a commit, fills up,
 * fails, and comes back from an older copy. What it holds is seen through `mount`, by one process at
 * a time; the stores of processes that have died answer nothing, ever.
 */
export class SimulatedDisk {
  readonly #around: DiskSurroundings | null
  #content = new DiskContent()
  #mounted: SimulatedRowStore | null = null
  #crash: { readonly when: "before" | "after"; left: number } | null = null
  #failing = { read: 0, commit: 0 }
  #busyUntil = 0
  #commits = 0
  #history = 0
  /** Commits are refused while there is no room; what was written stays readable. */
  full = false
  latency: DiskLatency
  /** What an orderly stop has left beside the database, until the next start. */
  anchor: Bytes | null = null

  constructor(around: DiskSurroundings | null = null) {
    this.#around = around
    this.latency = around?.latency ?? FAST
  }

  /** How many batches were applied, in all histories. */
  get commits(): number {
    return this.#commits
  }

  /** How often an older copy was put back. */
  get history(): number {
    return this.#history
  }

  /** Whether commits are under way. */
  get busy(): boolean {
    return this.#busyUntil > (this.#around?.clock.now() ?? 0)
  }

  /** Tells a file that was written to or replaced from the one it was. */
  get file(): string {
    return `${this.#history}/${this.#commits}`
  }

  /** A process opens its database; the store of the one before is dead. */
  mount(): SimulatedRowStore {
    this.#mounted?.die()
    this.#mounted = new SimulatedRowStore(this)
    return this.#mounted
  }

  /** The process that had it open is gone. */
  unmount(): void {
    this.#mounted?.die()
    this.#mounted = null
    this.#crash = null
  }

  /** What it holds now, for whoever looks from outside. */
  get content(): DiskContent {
    return this.#content
  }

  /** The process dies just before or just after the `nth` commit from now. */
  crash(when: "before" | "after", nth = 1): void {
    this.#crash = { when, left: nth }
  }

  /** The next `count` reads or commits fail, and apply nothing. */
  fail(what: "read" | "commit", count = 1): void {
    this.#failing[what] = count
  }

  /** Everything works again; nothing comes back from the dead. */
  heal(): void {
    this.#crash = null
    this.#failing = { read: 0, commit: 0 }
    this.full = false
  }

  snapshot(): DiskSnapshot {
    return { content: new DiskContent(this.#content), anchor: this.anchor }
  }

  /**
   * Puts an older copy in place of what there is, under a running process too: of the database
   * alone, or of the whole directory with what an orderly stop had left in it.
   */
  restore({ content, anchor }: DiskSnapshot, what: "database" | "directory" = "database"): void {
    this.#content = new DiskContent(content)
    if (what === "directory") this.anchor = anchor
    this.#history += 1
  }

  /** Reads once the disk has got to it. @throws StoreUnavailable */
  async read<T>(look: (content: DiskContent) => T): Promise<T> {
    await this.#take(this.latency.readMs)
    if (this.#failing.read > 0) {
      this.#failing.read -= 1
      throw new StoreUnavailable("the disk cannot be read")
    }
    return look(this.#content)
  }

  /** Applies one batch after those before it. Null when the process dies instead of being told. */
  async commit(
    batch: readonly RowChange[],
    isDead: () => boolean,
    note: unknown,
  ): Promise<readonly LogPosition[] | null> {
    await this.#queue()
    if (isDead()) return null
    if (this.full) throw new StoreUnavailable("the disk is full")
    if (this.#failing.commit > 0) {
      this.#failing.commit -= 1
      throw new StoreUnavailable("the disk cannot be written to")
    }
    const crash = this.#dueCrash()
    if (crash === "before") return this.#die("before")
    const positions = this.#content.apply(batch)
    this.#commits += 1
    this.#around?.watcher.applied(batch, positions, note)
    return crash === "after" ? this.#die("after") : positions
  }

  /** Resolves when every commit that was given before has been carried out or refused. */
  async settled(): Promise<void> {
    const { clock } = this.#around ?? {}
    if (clock !== undefined) await clock.wait(this.#busyUntil - clock.now())
  }

  #die(when: "before" | "after"): null {
    this.unmount()
    this.#around?.watcher.crashed(when)
    return null
  }

  #dueCrash(): "before" | "after" | null {
    if (this.#crash === null) return null
    this.#crash.left -= 1
    if (this.#crash.left > 0) return null
    const { when } = this.#crash
    this.#crash = null
    return when
  }

  /** Commits are durable in the order in which they came. */
  async #queue(): Promise<void> {
    const { clock } = this.#around ?? {}
    if (clock === undefined || this.latency.commitMs === 0) return
    this.#busyUntil = Math.max(this.#busyUntil, clock.now()) + this.#some(this.latency.commitMs)
    await clock.wait(this.#busyUntil - clock.now())
  }

  async #take(most: number): Promise<void> {
    if (most > 0) await this.#around?.clock.wait(this.#some(most))
  }

  #some(most: number): number {
    return 1 + (this.#around?.randomness.below(most) ?? 0)
  }
}
