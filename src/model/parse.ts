/**
 * Parse, don't check: what comes from outside is `unknown` until one of these returned a type. Every reader names the place and
 * both values in its error, and has a limit of size.
 */
import { quote, ShoalError } from './errors.ts'
import { maxJsonDepth } from './limits.ts'

const bad = (where: string, want: string, got: unknown): ShoalError => {
  return new ShoalError('BAD_REQUEST', `${where}: expected ${want}, got ${quote(got)}`)
}

/** JSON text to `unknown`; a syntax error becomes a ShoalError that names the place. @throws ShoalError BAD_REQUEST, TOO_LARGE */
export function parseJson(text: string, where: string, maxLength = 1 << 22): unknown {
  if (text.length > maxLength) throw new ShoalError('TOO_LARGE', `${where}: ${text.length} characters, at most ${maxLength}`)
  if (isNestedDeeper(text, maxJsonDepth)) throw new ShoalError('BAD_REQUEST', `${where}: nested more than ${maxJsonDepth} times`)
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `${where}: no JSON`, { cause })
  }
}

/** Reading goes deeper than writing can: what is nested without end could be taken, and then neither stored nor shown. */
function isNestedDeeper(text: string, max: number): boolean {
  let depth = 0
  for (let at = text.search(opening); at !== -1 && at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (c === quotes) at = endOfString(text, at)
    else if (c === 0x5b || c === 0x7b) depth++
    else if (c === 0x5d || c === 0x7d) depth--
    if (depth > max) return true
  }
  return false
}

const opening = /[[{]/
const [quotes, backslash] = [0x22, 0x5c]

/** Where the string ends that begins there; the end of the text if it does not. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes++
    if (escapes % 2 === 0) return end
  }
  return text.length
}

export function asString(value: unknown, where: string, maxLength = 4096): string {
  if (typeof value !== 'string' || value.length > maxLength) throw bad(where, `a text of at most ${maxLength} characters`, value)
  return value
}

export function asInteger(value: unknown, where: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
    throw bad(where, `an integer from ${min} to ${max}`, value)
  return value
}

export function asBoolean(value: unknown, where: string): boolean {
  if (typeof value !== 'boolean') throw bad(where, 'true or false', value)
  return value
}

export function asArray(value: unknown, where: string, maxCount = 1000): readonly unknown[] {
  if (!Array.isArray(value) || value.length > maxCount) throw bad(where, `a list of at most ${maxCount}`, value)
  return value as readonly unknown[]
}

export function asOneOf<const T extends string>(value: unknown, where: string, among: readonly T[]): T {
  const found = among.find(each => each === value)
  if (found === undefined) throw bad(where, among.join(' | '), value)
  return found
}

/** A plain object whose keys are read one by one; keys that nobody reads are ignored, prototypes are never touched. */
export class Fields {
  readonly where: string
  readonly #map: ReadonlyMap<string, unknown>

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(where, 'an object', value)
    this.where = where
    this.#map = new Map(Object.entries(value))
  }

  raw(key: string): unknown {
    return this.#map.get(key)
  }

  has(key: string): boolean {
    const value = this.#map.get(key)
    return value !== undefined && value !== null
  }

  keys(): readonly string[] {
    return [...this.#map.keys()]
  }

  /** Reads one key with a parser of `(value, where)`. */
  get<T>(key: string, parse: (value: unknown, where: string) => T): T {
    return parse(this.#map.get(key), `${this.where}.${key}`)
  }

  /** Like `get`, but a missing or null key gives `otherwise`. */
  maybe<T, D>(key: string, parse: (value: unknown, where: string) => T, otherwise: D): T | D {
    return this.has(key) ? this.get(key, parse) : otherwise
  }

  string(key: string, maxLength?: number): string {
    return asString(this.#map.get(key), `${this.where}.${key}`, maxLength)
  }

  integer(key: string, min?: number, max?: number): number {
    return asInteger(this.#map.get(key), `${this.where}.${key}`, min, max)
  }

  boolean(key: string): boolean {
    return asBoolean(this.#map.get(key), `${this.where}.${key}`)
  }

  list<T>(key: string, parse: (value: unknown, where: string) => T, maxCount?: number): readonly T[] {
    const where = `${this.where}.${key}`
    return asArray(this.#map.get(key), where, maxCount).map((each, at) => parse(each, `${where}[${at}]`))
  }
}
