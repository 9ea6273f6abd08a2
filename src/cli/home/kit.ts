/**
 * The recovery kit: a second admin key, and ca.key, under a passphrase of its own. The file is a key file too: `--key` takes it, to
 * name a new admin when the others' passphrases are lost.
 */
import { Fields, parseJson, ShoalError } from '../../model/index.ts'
import { kitFileOf, kitName, newOperatorKey, newPassphrase, type OperatorKey, seal, unseal } from '../../trust/index.ts'

export interface Kit {
  readonly key: OperatorKey
  readonly passphrase: string
  /** Text of recovery-kit.json. */
  readonly file: string
}

/** @param caKey PEM of the fleet CA's key */
export function makeKit(caKey: string): Kit {
  const passphrase = newPassphrase()
  const { key, file } = newOperatorKey(kitName, passphrase)
  return { key, passphrase, file: kitFileOf(file, seal(Buffer.from(caKey), passphrase)) }
}

/** The CA's key, PEM, out of a kit's text. @throws ShoalError BAD_PASSPHRASE, BAD_REQUEST if the file is no kit */
export function caKeyOf(kit: string, passphrase: string, path: string): string {
  const f = new Fields(parseJson(kit, path), path)
  if (!f.has('ca')) throw new ShoalError('BAD_REQUEST', `${path}: is a key file without a CA key, not a recovery kit`)
  return unseal(new Fields(f.raw('ca'), `${path}: ca`), passphrase).toString()
}
