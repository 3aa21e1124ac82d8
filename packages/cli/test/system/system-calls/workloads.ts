import { sha256 } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { type Bench, type Client, OWNER, VICTIM } from "./bench.ts"

/** One thing that a server does while its system calls are looked at. */
export interface Workload {
  readonly name: string
  /**
   * Whether the write-ahead log is carried over into the database meanwhile: that may fail, since
   * everything is in the log still.
   */
  readonly carriesOver: boolean
  /** Before anything is looked at; what it gives goes to `run` and is ended afterwards. */
  prepare(bench: Bench): Promise<Client | null>
  /** Rejects when it could not be done. */
  run(bench: Bench, client: Client | null): Promise<void>
}

let signed = 0
let generations = 0

/** Fewer than one account may have unfinished at a server. */
const MOST_UNFINISHED = 40

async function sign({ keys }: Bench, client: Client | null): Promise<void> {
  const { keyId } = keys[0] as Bench["keys"][number]
  await client?.session.sign({ keyId, message: utf8(`message ${signed++}`) })
}

/** A wrong password, so that there is a guess to lose. */
async function guessWrong(bench: Bench): Promise<void> {
  const keeper = await bench.connect(new Set([VICTIM + 2]))
  const wrong = keeper.login({ ...OWNER, password: "wrong horse battery staple" })
  await wrong.then(
    () => {
      throw new Error("a wrong password was accepted")
    },
    () => undefined,
  )
  keeper.close()
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: "signing",
    carriesOver: false,
    prepare: (bench) => bench.loginOfTwo(),
    run: sign,
  },
  {
    name: "ECDSA signing from the pool",
    carriesOver: false,
    async prepare(bench) {
      const client = await bench.loginOfTwo()
      const { keyId } = bench.keys[1] as Bench["keys"][number]
      const sets = [bench.partners.toSorted((a, b) => a - b)]
      await client.session.pools.fill({ keyId, floor: 2, cap: 2, sets })
      return client
    },
    async run({ keys }, client) {
      const { keyId } = keys[1] as Bench["keys"][number]
      const content = { kind: "message", message: sha256(utf8(`message ${signed++}`)) } as const
      await client?.session.signDigestOf({ keyId, content })
    },
  },
  {
    name: "login",
    carriesOver: false,
    async prepare(bench) {
      await guessWrong(bench)
      return null
    },
    async run(bench) {
      const client = await bench.loginOfTwo()
      await client.end()
    },
  },
  {
    name: "key generation",
    carriesOver: false,
    async prepare(bench) {
      // What the cases leave unfinished at the others ends with their processes.
      if (++generations % MOST_UNFINISHED === 0) await bench.restartOthers()
      return bench.login([])
    },
    async run(bench, client) {
      if (client !== null) await bench.createKey(client.session, "made while calls fail")
    },
  },
  {
    name: "signing with a checkpoint",
    carriesOver: true,
    async prepare(bench) {
      const client = await bench.loginOfTwo()
      bench.fillWriteAheadLog()
      return client
    },
    async run(bench, client) {
      // The second one writes over the write-ahead log that the first has carried over.
      await sign(bench, client)
      await sign(bench, client)
    },
  },
  {
    name: "orderly stop",
    carriesOver: true,
    prepare: async () => null,
    run: ({ victim }) => victim.stop("SIGTERM"),
  },
  {
    name: "start after an orderly stop",
    carriesOver: false,
    async prepare(bench) {
      await bench.victim.stop("SIGTERM")
      bench.beginStart()
      return null
    },
    run: (bench) => bench.started(),
  },
]
