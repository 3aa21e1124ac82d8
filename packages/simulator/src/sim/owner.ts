import { LockKeeperError } from "@lockkeeper/api"
import type { KeyInfo, KeyType, LockKeeper, Session } from "@lockkeeper/client"
import { toHex, utf8 } from "@lockkeeper/encoding"
import type { World } from "../world/world.ts"
import { digestOf } from "./checkers/signatures.ts"
import type { Dice } from "./plan.ts"
import type { Recorder } from "./recorder.ts"

/** Failures that faults explain only because of what else the run does; see `Owner.excuses`. */
export type Excuses = () => readonly string[]

/** An owner, as all of their devices know them. */
export class Owner {
  readonly name: string
  /** Passwords one of which is right: more than one while a change is, or was left, undecided. */
  #passwords: readonly string[]
  #changes = 0
  registered = false
  readonly keys: KeyInfo[] = []
  /** Children that every holder has registered, by key. */
  readonly children: { readonly key: KeyInfo; readonly path: readonly number[] }[] = []

  constructor(name: string) {
    this.name = name
    this.#passwords = [`first password of ${name}`]
  }

  get passwords(): readonly string[] {
    return this.#passwords
  }

  /** Changes whenever a password change begins or ends: what was read before may be outdated. */
  get changes(): number {
    return this.#changes
  }

  nextPassword(): string {
    return `password ${this.#changes} of ${this.name}`
  }

  beginChange(next: string): void {
    this.#changes += 1
    this.#passwords = [next, ...this.#passwords]
  }

  /** @param since - `changes` right after `beginChange`: others may have begun one meanwhile. */
  endChange(next: string, since: number): void {
    if (this.#changes === since) this.#passwords = [next]
    this.#changes += 1
  }
}

/** One device of an owner: uses the SDK as an application does, and takes down what it was told. */
export class Device {
  readonly actor: string
  readonly owner: Owner
  readonly #world: World
  readonly #recorder: Recorder
  readonly #dice: Dice
  readonly #excuses: Excuses
  #keeper: LockKeeper | null = null
  #session: Session | null = null
  #messages = 0

  constructor(
    around: {
      readonly world: World
      readonly recorder: Recorder
      readonly dice: Dice
      readonly excuses: Excuses
    },
    actor: string,
    owner: Owner,
  ) {
    this.#world = around.world
    this.#recorder = around.recorder
    this.#dice = around.dice
    this.#excuses = around.excuses
    this.actor = actor
    this.owner = owner
  }

  get loggedIn(): boolean {
    return this.#session !== null
  }

  /**
   * Carries out one operation. Returns null where it failed; that it failed is taken down with the
   * codes that are right in this case.
   */
  async #attempt<T>(
    operation: string,
    expected: readonly string[],
    act: (keeper: LockKeeper) => Promise<T>,
  ): Promise<T | null> {
    const { actor } = this
    try {
      this.#keeper ??= await this.#world.connect(actor, {
        onIncident: (incident) => this.#recorder.incident(actor, incident),
      })
      return await act(this.#keeper)
    } catch (error) {
      const known = error instanceof LockKeeperError
      const code = known ? error.code : error instanceof Error ? error.name : typeof error
      const message = error instanceof Error ? error.message : String(error)
      const excused = [...expected, ...this.#excuses()]
      this.#recorder.failure({ actor, operation, code, message, expected: excused })
      if (code === "session-ended") this.#session = null
      return null
    }
  }

  async register(): Promise<boolean> {
    const { owner } = this
    const password = owner.passwords[0] as string
    // What was lost on the way was done all the same: the name is the owner's own.
    const registered = await this.#attempt("register", ["already-exists"], (keeper) =>
      keeper.register({ name: owner.name, password }),
    )
    if (registered === null) return false
    owner.registered = true
    this.#recorder.account({ actor: this.actor, accountId: registered.accountId })
    return true
  }

  /** Logs in with whichever of the passwords is right. */
  async login(): Promise<boolean> {
    const { owner } = this
    for (const password of owner.passwords) {
      // A change has ended since: nobody remembers this one any more.
      if (!owner.passwords.includes(password)) continue
      const [many, changes] = [owner.passwords.length > 1, owner.changes]
      const undecided = (): boolean => many || owner.changes !== changes
      const name = "wrong-password"
      const expected: string[] = []
      // Read when the failure is taken down: a change may begin while the login is under way.
      const session = await this.#attempt("login", expected, async (keeper) => {
        try {
          return await keeper.login({ name: owner.name, password })
        } finally {
          if (undecided() || !owner.registered) expected.push(name)
        }
      })
      if (session === null) continue
      this.#session = session
      return true
    }
    return false
  }

  /** @returns whether the servers refused, as they must. */
  async loginWrongly(): Promise<void> {
    const session = await this.#attempt("login", ["wrong-password"], (keeper) =>
      keeper.login({ name: this.owner.name, password: "never anybody's password" }),
    )
    if (session === null) return
    const message = "it was let in with a wrong password"
    const failure = { actor: this.actor, operation: "login", expected: [] }
    this.#recorder.failure({ ...failure, code: "accepted", message })
  }

  async logout(): Promise<void> {
    const session = this.#session
    this.#session = null
    if (session !== null) await this.#attempt("logout", [], () => session.logout())
  }

  async changePassword(): Promise<void> {
    const session = this.#session
    const { owner } = this
    const [current] = owner.passwords
    if (session === null || current === undefined) return
    const next = owner.nextPassword()
    owner.beginChange(next)
    const since = owner.changes
    // Another device may have changed it first; and where servers that missed the end of this change
    // answer its last login, that says so too, since what they know is the password before.
    const changed = await this.#attempt("change password", ["wrong-password"], () =>
      session.changePassword({ current, next }),
    )
    // Where some server missed the end of it, the old password counts until that server is told.
    if (changed?.incidents.length === 0) owner.endChange(next, since)
  }

  async createKey(type: KeyType): Promise<KeyInfo | null> {
    const session = this.#session
    if (session === null) return null
    const created = await this.#attempt("create key", [], () => session.keys.create({ type }))
    if (created === null) return null
    const { key, log } = created
    const { keyId, keyType, publicKey } = key
    this.#recorder.key({ actor: this.actor, keyId, keyType, publicKey }, log)
    this.owner.keys.push(key)
    return key
  }

  async derive(key: KeyInfo): Promise<void> {
    const session = this.#session
    if (session === null) return
    const path = [this.#dice.below(3)]
    const derived = await this.#attempt("derive", ["not-found"], () =>
      session.keys.derive(key.keyId, path),
    )
    if (derived === null) return
    this.#recorder.child({ actor: this.actor, keyId: key.keyId, path }, derived.log)
    this.owner.children.push({ key, path })
  }

  async list(): Promise<void> {
    const session = this.#session
    if (session !== null) await this.#attempt("list", [], () => session.keys.list())
  }

  async show(key: KeyInfo): Promise<void> {
    const session = this.#session
    if (session === null) return
    await this.#attempt("show", ["not-found"], () => session.keys.show(key.keyId))
  }

  async fill(key: KeyInfo): Promise<void> {
    const session = this.#session
    if (session === null || key.keyType !== "ecdsa-secp256k1") return
    const sets = [key.holders.slice(0, key.certificate.public.minSigners)]
    await this.#attempt("fill", ["not-found"], () =>
      session.pools.fill({ keyId: key.keyId, floor: 2, cap: 3, sets }),
    )
  }

  /** @returns whether it signed. */
  async sign(key: KeyInfo, path: readonly number[] = []): Promise<boolean> {
    const session = this.#session
    if (session === null) return false
    const message = new Uint8Array(32)
    message.set(utf8(`${this.actor} ${this.#messages++} ${this.#dice.below(1e9)}`).subarray(0, 32))
    const { keyId, keyType } = key
    const signed = await this.#attempt("sign", ["not-found"], async () => {
      if (keyType === "ecdsa-secp256k1") {
        const content = { kind: "message", message: digestOf(message) } as const
        const { r, s, ...rest } = await session.signDigestOf({ keyId, path, content })
        const signature = new Uint8Array(64)
        signature.set(r)
        signature.set(s, 32)
        return { ...rest, signature }
      }
      return session.sign({ keyId, path, message })
    })
    if (signed === null) return false
    const { publicKey, signature, signers, log } = signed
    const granted = { keyId, keyType, publicKey, message, signature, signers }
    this.#recorder.signature({ actor: this.actor, ...granted }, log)
    return true
  }

  toString(): string {
    return `${this.actor} with ${this.owner.keys.map(({ keyId }) => toHex(keyId).slice(0, 8))}`
  }
}
