import {
  type Bytes,
  type Codec,
  DecodeError,
  equalBytes,
  fixedBytes,
  mapped,
} from "@lockkeeper/encoding"
import { constantTimeEqual } from "../hash.ts"
import type { Engine } from "./engine.ts"
import type { Element, Group, Scalar } from "./group.ts"
import { bytesToInteger, integerToBytes, isBelow, isZero } from "./scalar-bytes.ts"

const SCALAR_LENGTH = 32
const UNIFORM_LENGTH = 64

/** Says what is wrong with bytes, or null when they are valid. */
type Problem = (bytes: Uint8Array) => string | null

function decoder<T extends Bytes>(problem: Problem): (bytes: Uint8Array) => T {
  return (bytes) => {
    const found = problem(bytes)
    if (found !== null) throw new DecodeError(found, 0)
    return new Uint8Array(bytes) as T
  }
}

/** Refuses on writing what no decoder accepts: an identity must not leave the process. */
function codecOver<T extends Bytes>(length: number, problem: Problem, writes: Problem): Codec<T> {
  return mapped(
    fixedBytes(length),
    (value: T) => {
      const found = writes(value)
      if (found !== null) throw new RangeError(found)
      return value
    },
    (raw, fail) => {
      const found = problem(raw)
      return found === null ? (raw as T) : fail(found)
    },
  )
}

function problemsOf(engine: Engine) {
  const order = integerToBytes(engine.order, engine.byteOrder)
  const scalar: Problem = (bytes) => {
    if (bytes.length !== SCALAR_LENGTH) return `scalar is not ${SCALAR_LENGTH} bytes`
    return isBelow(bytes, order, engine.byteOrder) ? null : "scalar is not below the group order"
  }
  const nonZeroScalar: Problem = (bytes) =>
    scalar(bytes) ?? (isZero(bytes) ? "scalar is zero" : null)
  const identity: Problem = (bytes) =>
    equalBytes(bytes, engine.identity) ? "element is the identity" : null
  const element: Problem = (bytes) => {
    if (bytes.length !== engine.elementLength) return `element is not ${engine.elementLength} bytes`
    const canonical = "element is not a canonical point of prime order"
    return identity(bytes) ?? (engine.isElement(bytes) ? null : canonical)
  }
  return { scalar, nonZeroScalar, identity, element }
}

function codecsOf(engine: Engine) {
  const problems = problemsOf(engine)
  const accept: Problem = () => null
  const zero: Problem = (bytes) => (isZero(bytes) ? "scalar is zero" : null)
  return {
    decodeScalar: decoder<Scalar>(problems.scalar),
    decodeNonZeroScalar: decoder<Scalar>(problems.nonZeroScalar),
    decodeElement: decoder<Element>(problems.element),
    scalar: codecOver<Scalar>(SCALAR_LENGTH, problems.scalar, accept),
    nonZeroScalar: codecOver<Scalar>(SCALAR_LENGTH, problems.nonZeroScalar, zero),
    element: codecOver<Element>(engine.elementLength, problems.element, problems.identity),
  }
}

function scalarsOf(engine: Engine) {
  const zero = integerToBytes(0n, engine.byteOrder) as Scalar
  const one = integerToBytes(1n, engine.byteOrder) as Scalar
  return {
    zero,
    one,
    scalarFromUniform(bytes: Uint8Array): Scalar {
      if (bytes.length !== UNIFORM_LENGTH) throw new RangeError("uniform input is not 64 bytes")
      return engine.reduceUniform(bytes) as Scalar
    },
    scalarFromInteger(value: bigint | number): Scalar {
      const reduced = BigInt(value) % engine.order
      const positive = reduced < 0n ? reduced + engine.order : reduced
      return integerToBytes(positive, engine.byteOrder) as Scalar
    },
    scalarToInteger: (scalar: Scalar): bigint => bytesToInteger(scalar, engine.byteOrder),
    addScalars: (a: Scalar, b: Scalar) => engine.addScalars(a, b) as Scalar,
    subtractScalars(a: Scalar, b: Scalar): Scalar {
      const negated = engine.negateScalar(b) as Scalar
      const difference = engine.addScalars(a, negated) as Scalar
      negated.fill(0)
      return difference
    },
    multiplyScalars: (a: Scalar, b: Scalar) => engine.multiplyScalars(a, b) as Scalar,
    negateScalar: (a: Scalar) => engine.negateScalar(a) as Scalar,
    invertScalar(a: Scalar): Scalar {
      if (isZero(a)) throw new RangeError("zero has no inverse")
      return engine.invertScalar(a) as Scalar
    },
    isZeroScalar: (a: Scalar) => isZero(a),
    equalScalars: (a: Scalar, b: Scalar) => constantTimeEqual(a, b),
  }
}

function elementsOf(engine: Engine, one: Scalar) {
  const identity = engine.identity as Element
  const generator = engine.generator as Element
  const isIdentity = (a: Element) => equalBytes(a, identity)
  const sum = (elements: readonly Element[]): Element => {
    const terms = elements.filter((element) => !isIdentity(element))
    const [first = identity] = terms
    return terms.length < 2 ? first : (engine.sum(terms) as Element)
  }
  const multiplyBase = (scalar: Scalar): Element =>
    isZero(scalar) ? identity : (engine.multiplyBase(scalar) as Element)
  const multiplyPublic = (element: Element, scalar: Scalar): Element => {
    if (isZero(scalar) || isIdentity(element)) return identity
    // Fixed-base multiplication is several times faster.
    if (equalBytes(element, generator)) return engine.multiplyBase(scalar) as Element
    if (equalBytes(scalar, one)) return element
    return engine.multiplyPublic(element, scalar) as Element
  }
  const negate = (a: Element): Element => (isIdentity(a) ? a : (engine.negate(a) as Element))
  return {
    identity,
    generator,
    isIdentity,
    multiplyBase,
    multiplyPublic,
    negate,
    multiply: (element: Element, scalar: Scalar): Element =>
      isZero(scalar) || isIdentity(element)
        ? identity
        : (engine.multiply(element, scalar) as Element),
    linearCombination(elements: readonly Element[], scalars: readonly Scalar[]): Element {
      if (elements.length !== scalars.length) throw new RangeError("terms without a partner")
      return sum(elements.map((element, i) => multiplyPublic(element, scalars[i] as Scalar)))
    },
    add: (a: Element, b: Element) => sum([a, b]),
    subtract: (a: Element, b: Element) => sum([a, negate(b)]),
    equal: (a: Element, b: Element) => equalBytes(a, b),
  }
}

/** The group that an engine computes, with zero, identity and decoding handled in one place. */
export function groupOver(engine: Engine): Group {
  const scalars = scalarsOf(engine)
  return {
    name: engine.name,
    backend: engine.backend,
    order: engine.order,
    scalarLength: SCALAR_LENGTH,
    elementLength: engine.elementLength,
    ...codecsOf(engine),
    ...scalars,
    ...elementsOf(engine, scalars.one),
  }
}
