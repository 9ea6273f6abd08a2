/** The file of a recovery kit: a key file, with the CA's key beside it under the same passphrase. */
import { Fields, parseJson } from '../model/index.ts'
import type { Sealed } from './keys.ts'

export const kitName = 'recovery-kit'

/** @param keyFile of the kit's own key */
export function kitFileOf(keyFile: string, ca: Sealed): string {
  const fields = new Fields(parseJson(keyFile, kitName), kitName)
  const entries = fields.keys().map(name => [name, fields.raw(name)] as const)
  return `${JSON.stringify({ ...Object.fromEntries(entries), ca }, null, 2)}\n`
}
