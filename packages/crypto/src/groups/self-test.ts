import type { Group } from "./group.ts"

/** `group`, after its backend has given a few known answers. @throws Error when it has not. */
export function selfTest(group: Group): Group {
  const integer = (n: number) => group.scalarFromInteger(n)
  const [two, three, five, six] = [integer(2), integer(3), integer(5), integer(6)]
  const point = group.multiplyBase(three)
  const holds =
    group.equal(group.multiplyBase(group.one), group.generator) &&
    group.equal(group.multiply(point, two), group.multiplyBase(six)) &&
    group.equal(group.multiplyPublic(point, two), group.multiplyBase(six)) &&
    group.equal(group.add(group.multiplyBase(two), point), group.multiplyBase(five)) &&
    group.isIdentity(group.subtract(point, point)) &&
    group.equalScalars(group.multiplyScalars(two, three), six) &&
    group.equalScalars(group.addScalars(six, group.negateScalar(six)), group.zero) &&
    group.equalScalars(group.multiplyScalars(six, group.invertScalar(two)), three)
  if (!holds) throw new Error(`self-test of ${group.name} failed: ${group.backend}`)
  return group
}
