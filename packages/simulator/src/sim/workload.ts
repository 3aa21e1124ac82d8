import type { KeyType } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import type { World } from "../world/world.ts"
import { DishonestOwner, guess } from "./dishonest-owner.ts"
import { HolderChange } from "./holder-change.ts"
import { Operator } from "./operator.ts"
import { Device, type Excuses, Owner } from "./owner.ts"
import { Dice, type Plan } from "./plan.ts"
import type { Recorder } from "./recorder.ts"

/** What a device does, and how often against each other. */
const WEIGHTS = {
  sign: 30,
  list: 8,
  show: 6,
  derive: 8,
  create: 10,
  "sign with child": 10,
  "change password": 6,
  "log in wrongly": 4,
  "log in again": 6,
} as const

/** Most operations of one device while faults happen. */
const MOST_OPERATIONS = 9

/** Most keys of an owner: each costs a key generation, and one signature at the end. */
const MOST_KEYS = 3

/** How many guesses a stranger tries at each server: more than there are. */
const GUESSES = 20

/** After so many it makes the server crash, if it can: perhaps the server forgets. */
const GUESSES_BEFORE_CRASH = 6

const CHEAP_TYPES: readonly KeyType[] = ["ed25519", "bip340"]

/** Who uses the servers of a run, honestly or not. */
export class Workload {
  readonly owners: readonly Owner[]
  readonly devices: readonly Device[]
  readonly operators: readonly Operator[]
  /** Null where the holders stay. */
  readonly change: HolderChange | null
  readonly actors: readonly string[]
  readonly #world: World
  readonly #plan: Plan
  readonly #recorder: Recorder
  readonly #excuses: Excuses
  #calm = false

  constructor(world: World, plan: Plan, recorder: Recorder, excuses: Excuses) {
    this.#world = world
    this.#plan = plan
    this.#recorder = recorder
    this.#excuses = excuses
    this.owners = plan.devices.map((_, i) => new Owner(`owner-${i + 1}`))
    this.devices = plan.devices.flatMap((count, i) =>
      Array.from({ length: count }, (_, j) => {
        const actor = `device ${j + 1} of owner-${i + 1}`
        const dice = new Dice(plan, actor)
        return new Device({ world, recorder, dice, excuses }, actor, this.owners[i] as Owner)
      }),
    )
    this.operators = Array.from({ length: plan.operators }, (_, i) => {
      const actor = `operator ${i + 1}`
      return new Operator({ world, recorder, dice: new Dice(plan, actor), excuses }, actor)
    })
    const convened = { world, plan, recorder, dice: new Dice(plan, "convener"), excuses }
    this.change = plan.changes.length === 0 ? null : new HolderChange(convened)
    this.actors = this.devices.map(({ actor }) => actor)
  }

  /** The world has healed: from now on nobody brings a server down. */
  calm(): void {
    this.#calm = true
    this.change?.calm()
  }

  /** One more device of an owner. */
  freshDevice(owner: Owner): Device {
    const actor = `fresh device of ${owner.name}`
    const dice = new Dice(this.#plan, actor)
    const [world, recorder, excuses] = [this.#world, this.#recorder, this.#excuses]
    return new Device({ world, recorder, dice, excuses }, actor, owner)
  }

  /** The one whose refresh after healing has to succeed; null where nobody operates. */
  freshOperator(): Operator | null {
    if (this.operators.length === 0) return null
    const actor = "fresh operator"
    const dice = new Dice(this.#plan, actor)
    const [world, recorder, excuses] = [this.#world, this.#recorder, this.#excuses]
    return new Operator({ world, recorder, dice, excuses }, actor)
  }

  /** Each owner's first device registers. */
  async register(): Promise<void> {
    await Promise.all(
      this.owners.map((owner) => this.devices.find((device) => device.owner === owner)?.register()),
    )
  }

  /** Everything that happens while there are faults, by who does it; each ends by itself. */
  start(): ReadonlyMap<string, Promise<void>> {
    const { dishonestOwner, guesser, ecdsa } = this.#plan
    const running = new Map<string, Promise<void>>()
    for (const device of this.devices) running.set(device.actor, this.#use(device))
    for (const operator of this.operators) {
      running.set(operator.actor, operator.maintain(this.#plan.stormMs))
    }
    const { change } = this
    if (change !== null) running.set(change.actor, change.carryOut(this.#plan.stormMs))
    if (dishonestOwner) running.set("dishonest owner", this.#cheat(ecdsa))
    if (guesser) running.set("guesser", this.#guess())
    return running
  }

  async #use(device: Device): Promise<void> {
    const { clock } = this.#world
    const dice = new Dice(this.#plan, `workload of ${device.actor}`)
    const until = clock.now() + this.#plan.stormMs
    for (let done = 0; done < MOST_OPERATIONS && clock.now() < until; done++) {
      if (!device.loggedIn && !(await device.login())) {
        await clock.wait(dice.between(500, 4_000))
        continue
      }
      await this.#operate(device, dice)
      // Now and then two at once, as two windows of one application would.
      if (dice.percent(25)) await Promise.all([this.#operate(device, dice), device.list()])
      await clock.wait(dice.below(1_500))
    }
  }

  async #operate(device: Device, dice: Dice): Promise<void> {
    const { owner } = device
    const what = owner.keys.length === 0 ? "create" : dice.weighted(WEIGHTS)
    if (what === "create") return this.#create(device, dice)
    const key = dice.pick(owner.keys)
    switch (what) {
      case "sign":
        await device.sign(key)
        return
      case "list":
        return device.list()
      case "show":
        return device.show(key)
      case "derive":
        return device.derive(key)
      case "sign with child": {
        const child = owner.children.at(-1)
        if (child !== undefined) await device.sign(child.key, child.path)
        return
      }
      case "change password":
        return device.changePassword()
      case "log in wrongly":
        return device.loginWrongly()
      case "log in again":
        await device.logout()
        await device.login()
    }
  }

  async #create(device: Device, dice: Dice): Promise<void> {
    const { keys } = device.owner
    if (keys.length >= MOST_KEYS) return
    const wantsEcdsa =
      this.#plan.ecdsa && !keys.some(({ keyType }) => keyType === "ecdsa-secp256k1")
    const type = wantsEcdsa ? "ecdsa-secp256k1" : dice.pick(CHEAP_TYPES)
    const key = await device.createKey(type)
    if (key !== null && wantsEcdsa) await device.fill(key)
  }

  /** Everyone's commitments and presignatures, again and again, until the storm is over. */
  async #cheat(ecdsa: boolean): Promise<void> {
    const world = this.#world
    const { clock } = world
    const actor = "dishonest-owner"
    const recorder = this.#recorder
    const dice = new Dice(this.#plan, actor)
    const owner = new Owner(actor)
    const excuses: Excuses = () => [...this.#excuses(), "already-exists", "untrusted-server"]
    const honest = new Device({ world, recorder, dice, excuses }, actor, owner)
    const until = clock.now() + this.#plan.stormMs
    while (!owner.registered && clock.now() < until) {
      if (!(await honest.register())) await clock.wait(1_000)
    }
    if (!(await honest.login())) return
    const key = await honest.createKey(ecdsa ? "ecdsa-secp256k1" : dice.pick(CHEAP_TYPES))
    if (key === null) return
    if (ecdsa) await honest.fill(key)
    await honest.logout()
    const signers = key.holders.slice(0, key.certificate.public.minSigners)
    const deps = world.dependenciesFor(actor)
    const encodedRoster = world.signed.roster
    const setting = { deps, roster: world.roster, encodedRoster, recorder, actor }
    const raw = new DishonestOwner(setting, actor, owner.passwords[0] as string)
    let collected: Awaited<ReturnType<DishonestOwner["collect"]>> | null = null
    let collectedEcdsa: Awaited<ReturnType<DishonestOwner["collectEcdsa"]>> = null
    let inSession = false
    for (let turn = 0; turn < 12 && clock.now() < until + 10_000; turn++) {
      try {
        if (!inSession || dice.percent(20)) await raw.login(signers)
        inSession = true
        if (ecdsa) {
          collectedEcdsa ??= await raw.collectEcdsa(key, signers)
          if (collectedEcdsa === null) return
          await raw.signEcdsaAgain(collectedEcdsa, turn % 3)
        } else {
          collected ??= await raw.collect(key, signers)
          // At once, so that the second may come while the first is being carried out.
          const again = [raw.signAgain(collected)]
          if (dice.percent(50)) again.push(raw.signAgain(collected))
          await Promise.all(again)
        }
      } catch {
        // Whatever the servers refuse it, it tries something else.
        inSession = false
      }
      await clock.wait(dice.below(2_000))
    }
  }

  /** More guesses at one owner's account than there are, at each server. */
  async #guess(): Promise<void> {
    const world = this.#world
    const recorder = this.#recorder
    const actor = "guesser"
    const dice = new Dice(this.#plan, actor)
    const deps = world.dependenciesFor(actor)
    const encodedRoster = world.signed.roster
    const setting = { deps, roster: world.roster, encodedRoster, recorder, actor }
    // Its registration meets the same faults as everybody's.
    const around = { world, recorder, dice, excuses: this.#excuses }
    const victim = new Device(around, "victim's device", new Owner("victim"))
    await victim.register()
    const server: Identifier = dice.pick(world.servers)
    for (let tries = 0; tries < GUESSES; tries++) {
      const crashes = tries === GUESSES_BEFORE_CRASH && dice.percent(60)
      if (crashes && !this.#calm) world.kill(server)
      try {
        await guess(setting, "victim", server)
      } catch {
        // No answer, no guess left, or the server is down: it goes on.
      }
      await world.clock.wait(dice.below(1_200))
    }
  }
}
