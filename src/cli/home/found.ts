/**
 * Founds a fleet: root, CA, the first operator, the recovery kit, and this node as its first member, admitted by an invite like all
 * others. Everything is made in memory first; the disk sees it in one go.
 */
import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { admissionFact, rootFact } from '../../facts/index.ts'
import { type Config, type Fact, type FleetId, type Invite, type NodeId, parseOperatorName } from '../../model/index.ts'
import { advertised, type HomePaths } from '../../slots/index.ts'
import {
  factSigner,
  fleetIdOf,
  type KeyAndCertificate,
  makeCa,
  makeNodeCertificate,
  makeRoot,
  newNodeKey,
  newOneTimeKey,
  newOperatorKey,
  newPassphrase,
  type NodeKey,
  type OperatorKey,
  pinOf,
  proveToken,
  signDocument,
  trustFirstRoot,
  type TrustedRoot,
} from '../../trust/index.ts'
import { type Kit, makeKit } from './kit.ts'
import { type NodeOptions, settingsFor } from './settings.ts'
import { requireFreeHome } from './state.ts'
import { writeHome } from './write.ts'

export interface FoundOptions extends NodeOptions {
  readonly fleet?: string | undefined
  readonly operator?: string | undefined
  /** The operator's passphrase; null: make one. */
  readonly passphrase: string | null
  /** true: secrets that were made go to first-operator.txt, since nobody is there to read them. */
  readonly writesSecrets: boolean
}

export interface Founded {
  readonly id: NodeId
  readonly name: string
  readonly fleet: FleetId
  readonly address: string
  readonly operator: string
  /** null: it was given. */
  readonly passphrase: string | null
  readonly recoveryPassphrase: string
}

/** @throws ShoalError HOME_HAS_FLEET, HOME_DAMAGED, PORT_IN_USE, DISK_FULL; the home is then as it was */
export async function found(paths: HomePaths, options: FoundOptions): Promise<Founded> {
  requireFreeHome(paths)
  const config = await settingsFor(paths, options)
  const person = options.operator ?? nameOfUser()
  const made = options.passphrase ?? newPassphrase()
  const operator = newOperatorKey(person, made)
  const ca = makeCa()
  const kit = makeKit(ca.key)
  const root = foundingRoot(options.fleet ?? 'shoal', operator.key, kit, ca)
  const node = newNodeKey()
  const secrets = new Map([
    [join(paths.operators, `${person}.json`), operator.file],
    [paths.recoveryKit, kit.file],
    ...(options.writesSecrets
      ? [[paths.firstOperator, noteOf(person, options.passphrase === null ? made : null, kit.passphrase)] as const]
      : []),
  ])
  await writeHome(paths, {
    fleet: root.fleet,
    node: { key: node.key, cert: makeNodeCertificate(node.spki, root.fleet, ca) },
    ca: ca.cert,
    caKey: ca.key,
    secrets,
    console: true,
    config,
    facts: [rootFact(root), admitItself(node, root, operator.key, advertised(config))],
  })
  return {
    ...namesOf(node, config, root),
    operator: person,
    passphrase: options.passphrase === null ? made : null,
    recoveryPassphrase: kit.passphrase,
  }
}

const namesOf = (node: NodeKey, config: Config, root: TrustedRoot): Pick<Founded, 'id' | 'name' | 'fleet' | 'address'> => ({
  id: node.id,
  name: config.name,
  fleet: root.fleet,
  address: advertised(config)[0] ?? config.listen,
})

function foundingRoot(fleetName: string, operator: OperatorKey, kit: Kit, ca: KeyAndCertificate): TrustedRoot {
  const text = makeRoot(
    {
      version: 1,
      fleetName,
      people: [{ name: operator.name, role: 'admin', keyid: operator.keyid, publicHex: operator.publicHex }],
      caPin: pinOf(ca.cert),
      thresholds: { release: 1, order: 1 },
      spareAdmins: [{ keyid: kit.key.keyid, publicHex: kit.key.publicHex }],
    },
    [operator],
  )
  return trustFirstRoot(text, fleetIdOf(text))
}

/** The founder redeems the first invite itself: so every member of every fleet has an operator's signature behind it. */
function admitItself(node: NodeKey, root: TrustedRoot, operator: OperatorKey, addresses: readonly string[]): Fact {
  const oneTime = newOneTimeKey()
  const invite: Invite = {
    fleet: root.fleet,
    id: randomBytes(16).toString('hex'),
    key: oneTime.publicKey,
    redeemer: node.id,
    uses: 1,
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    generation: 1,
    canInvite: true,
    console: true,
    by: operator.name,
  }
  const token = { fleet: root.fleet, ca: root.caPin, redeemer: node.id, addresses, invite: invite.id, key: oneTime.privateKey }
  const admission = {
    node: node.id,
    spki: node.spki,
    invite: signDocument('invite', invite, [operator]),
    proof: proveToken(token, node.id),
  }
  return admissionFact(factSigner(node.key), node.id, admission, invite.generation)
}

const noteOf = (person: string, passphrase: string | null, recovery: string): string =>
  [`operator: ${person}`, ...(passphrase === null ? [] : [`passphrase: ${passphrase}`]), `recovery passphrase: ${recovery}`, ''].join('\n')

function nameOfUser(): string {
  try {
    return parseOperatorName(userInfo().username)
  } catch {
    return 'admin' // No user name, or one that is no operator's name.
  }
}
