import assert from "node:assert/strict"
import { before, test } from "node:test"
import { mayAsk, OPERATIONS, type Operation, ROLES, type Role, signRequest } from "@lockkeeper/api"
import { keyOf, PEOPLE, refusalOf, TestPerson } from "./approvers.ts"
import { charterOf, setCharter } from "./charters.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOperator } from "./operator.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

/** Sends a request without a body in that role, and says what it is refused with. */
const asking = new Map<Role, (operation: Operation) => Promise<string | null>>()

before(async () => {
  const cluster = await startCluster()
  const server = cluster.servers.get(1) as TestServer
  const owner = new TestOwner(cluster)
  await owner.register("right")
  const sessions = await owner.login("right", owner.servers)
  await setCharter(owner, sessions, charterOf({ people: PEOPLE }))
  const send = async (session: TestSession, request: ReturnType<TestOwner["sign"]>) =>
    expectKind(await session.call({ kind: "act", request, step: 1, input: EMPTY }), "act")
  const ask = (role: Role, make: (operation: Operation) => Promise<unknown>) =>
    asking.set(role, (operation) => refusalOf(make(operation)))
  const first = sessions[0] as TestSession
  ask("owner", (one) => send(first, owner.sign(owner.request(one, EMPTY))))
  const operator = new TestOperator(cluster, 2)
  const operating = await operator.open(server)
  ask("operator", (one) => send(operating, operator.sign(operator.request(one, EMPTY))))
  for (const [role, id] of [
    ["approver", "ada"],
    ["auditor", "dee"],
  ] as const) {
    const person = await TestPerson.visit(owner, server, id)
    ask(role, (one) => send(person.session, signRequest(owner.request(one, EMPTY), keyOf(id))))
  }
})

for (const role of ROLES) {
  test(`whoever is ${role} may ask for what the table says, and for nothing else`, async () => {
    let allowed = 0
    for (const operation of OPERATIONS) {
      const refusal = await asking.get(role)?.(operation)
      assert.notEqual(refusal, undefined)
      const isRefused = refusal === "permission-denied request.operation"
      const may = (mayAsk as (role: Role, operation: Operation) => boolean)(role, operation)
      assert.equal(!isRefused, may, `${role} ${operation}: ${refusal}`)
      if (may) allowed += 1
    }
    assert.equal(allowed, { owner: 27, operator: 8, approver: 4, auditor: 3 }[role])
  })
}
