/** invite: a token that lets a node in. The one-time key is made here; the node at home, which redeems it, sees only its public half. */
import { randomBytes } from 'node:crypto'
import { type Invite, parseDigest, ShoalError } from '../../model/index.ts'
import { formatToken, newOneTimeKey } from '../../trust/index.ts'
import { type FleetAnswer, parseFleet } from '../answers.ts'
import type { Context } from '../context.ts'
import { findKey, personOf, sign, signingOptions } from '../signing.ts'
import { type Args, type CommandSpec, countWithin, durationWithin, type Outcome } from '../spec.ts'

const expiryOf = (args: Args): string => new Date(Date.now() + args.read('expires', durationWithin('1s'), 1_800_000)).toISOString()

function inviteFor(fleet: FleetAnswer, args: Args, key: string, by: string, expiresAt: string): Invite {
  const uses = args.read('uses', countWithin(1, 100_000), 1)
  return {
    fleet: fleet.fleet,
    id: randomBytes(16).toString('hex'),
    key,
    redeemer: fleet.self.id,
    uses,
    expiresAt,
    generation: fleet.generation + 1,
    canInvite: args.has('canInvite'),
    console: args.has('console'),
    by,
  }
}

async function run(context: Context, args: Args): Promise<Outcome> {
  const expiresAt = expiryOf(args)
  const key = findKey(context, args)
  const fleet = parseFleet(await context.api().get('fleet'))
  const person = personOf(key, fleet)
  if (!fleet.redeems)
    throw new ShoalError('NOT_ALLOWED', `node ${fleet.self.id.slice(0, 8)} cannot let nodes in (it has no ca.key); invite at one that can`)
  const oneTime = newOneTimeKey()
  const invite = inviteFor(fleet, args, oneTime.publicKey, person.name, expiresAt)
  await context.api().post('invites', { envelope: await sign('invite', invite, key) })
  const token = formatToken({
    fleet: fleet.fleet,
    ca: parseDigest(fleet.caPin),
    redeemer: fleet.self.id,
    addresses: fleet.self.addresses.slice(0, 16),
    invite: invite.id,
    key: oneTime.privateKey,
  })
  context.note(
    `good for ${invite.uses === 1 ? 'one node' : `${invite.uses} nodes`} until ${invite.expiresAt}: \`shoal join TOKEN\` on the new machine`,
  )
  return { document: { id: invite.id, token, expiresAt: invite.expiresAt }, text: [token] }
}

export const inviteCommands: readonly CommandSpec[] = [
  {
    path: 'invite',
    about: 'print a token that lets a node in',
    options: [
      { flags: '--expires <time>', about: 'how long it is good (default 30m)' },
      { flags: '--uses <n>', about: 'how many nodes it lets in (default 1)' },
      { flags: '--can-invite', about: 'the new node may let others in' },
      { flags: '--console', about: 'the new node may keep operators’ keys' },
      ...signingOptions,
    ],
    run,
  },
]
