/** Something that reads what others wrote. */
import assert from 'node:assert/strict'
import { parseJson } from '../../src/model/index.ts'
import type { Random } from '../helpers/random.ts'
import { mutateJson } from './mutate.ts'

export interface Target {
  readonly name: string
  /** Takes all of its samples as they are. */
  readonly accepts: () => void
  /** Reads one changed sample. @throws ShoalError if it was refused; anything else is a fault, of the reader or of what it promises */
  readonly try: (random: Random) => void
}

/** Reads JSON. What it makes of it must be the same when it is written down and read again. */
export const jsonTarget = (name: string, read: (value: unknown) => unknown, samples: readonly unknown[]): Target =>
  textTarget(name, text => read(parseJson(text, name)), samples)

/** The same for a reader of JSON text. */
export function textTarget(name: string, read: (text: string) => unknown, samples: readonly unknown[]): Target {
  const twice = (text: string): void => {
    const is = read(text)
    if (is !== null) assert.deepEqual(read(JSON.stringify(is)), is)
  }
  return {
    name,
    accepts: () => {
      for (const sample of samples) twice(JSON.stringify(sample))
    },
    try: random => twice(mutateJson(random.pick(samples), random)),
  }
}
