/**
 * The recovery kit: a second admin key, and ca.key, under a passphrase of its own. The file is a key file too: `--key` takes it, to
 * name a new admin when the others' passphrases are lost.
 */
import { Fields, parseJson } from '../../model/index.ts'
import { newOperatorKey, newPassphrase, type OperatorKey, seal } from '../../trust/index.ts'

export interface Kit {
  readonly key: OperatorKey
  readonly passphrase: string
  /** Text of recovery-kit.json. */
  readonly file: string
}

const kitName = 'recovery-kit'

/** @param caKey PEM of the fleet CA's key */
export function makeKit(caKey: string): Kit {
  const passphrase = newPassphrase()
  const { key, file } = newOperatorKey(kitName, passphrase)
  const fields = new Fields(parseJson(file, kitName), kitName)
  const entries = fields.keys().map(name => [name, fields.raw(name)] as const)
  return {
    key,
    passphrase,
    file: `${JSON.stringify({ ...Object.fromEntries(entries), ca: seal(Buffer.from(caKey), passphrase) }, null, 2)}\n`,
  }
}
