/**
 * `keys restore`: what to do when the node that let others in is lost. Any other node takes the CA's key out of the recovery kit, and redeems
 * invites from its next start on. A CA key alone admits nobody: invites are signed by operators.
 */
import { existsSync, readFileSync } from 'node:fs'
import { ShoalError } from '../../model/index.ts'
import { writeDurable } from '../../slots/index.ts'
import type { Context } from '../context.ts'
import { caKeyFor, caKeyOf, readHomeFile } from '../home/index.ts'
import { findKey, signingOptions, yesOption } from '../signing.ts'
import type { Args, CommandSpec, Outcome } from '../spec.ts'
import { confirm } from '../prompt.ts'

async function restore(context: Context, args: Args): Promise<Outcome> {
  context.mustBeHere('keys restore')
  if (args.text('key') === undefined) throw new ShoalError('USAGE', 'keys restore needs --key <recovery-kit.json>')
  const { caKey, caPem } = context.paths
  if (existsSync(caKey)) throw new ShoalError('CONFLICT', `${caKey}: is here already; this node lets others in`)
  const kit = findKey(context, args)
  const ca = readHomeFile(caPem)
  const pem = caKeyFor(ca, caKeyOf(readFileSync(kit.path, 'utf8'), await kit.passphrase(), kit.path))
  await confirm(context, args.has('yes'), [`Writes the fleet’s CA key to ${caKey}: this node may let others in.`], 'Write it?')
  await writeDurable(caKey, pem, 0o600)
  return {
    document: { file: caKey },
    text: [`${caKey}: the CA’s key is here; after \`shoal restart\` this node redeems invites`],
  }
}

export const recoveryCommands: readonly CommandSpec[] = [
  {
    path: 'keys restore',
    about: 'take the CA’s key from a recovery kit, when the node that let others in is lost',
    options: [...signingOptions, yesOption],
    run: restore,
  },
]
