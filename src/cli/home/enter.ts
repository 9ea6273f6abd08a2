/**
 * Makes a home a node of a token's fleet. The node's key is on disk before it is sent, so that a lost answer costs no use of the token:
 * joining again with the same key is the same join. Any other failure leaves the home as it was.
 */
import { existsSync } from 'node:fs'
import type { FleetId, NodeId } from '../../model/index.ts'
import { advertised, type HomePaths, makeFolderSync, writeDurable } from '../../slots/index.ts'
import { newNodeKey, type NodeKey, parseToken, readNodeKey } from '../../trust/index.ts'
import { Refusal } from '../client.ts'
import { readHomeFile } from './at-home.ts'
import { redeem } from './redeem.ts'
import { type NodeOptions, settingsFor } from './settings.ts'
import { requireFreeHome } from './state.ts'
import { undoer, writeHome } from './write.ts'

export interface Entered {
  readonly id: NodeId
  readonly name: string
  readonly fleet: FleetId
  readonly fleetName: string
  readonly address: string
  readonly redeemer: NodeId
}

/** @throws ShoalError TOKEN_MALFORMED, HOME_HAS_FLEET, JOIN_UNREACHABLE, TOKEN_PIN_MISMATCH, TOKEN_USED, TOKEN_EXPIRED … */
export async function enter(paths: HomePaths, tokenText: string, options: NodeOptions, signal: AbortSignal): Promise<Entered> {
  const token = parseToken(tokenText)
  requireFreeHome(paths)
  const config = await settingsFor(paths, options)
  const undo = undoer(paths)
  try {
    const addresses = advertised(config)
    const redeemed = await redeem(token, () => keptKey(paths), { name: config.name, addresses }, signal)
    const { node } = redeemed
    await writeHome(paths, {
      fleet: token.fleet,
      node: { key: node.key, cert: redeemed.cert },
      ca: redeemed.ca,
      caKey: redeemed.caKey,
      secrets: new Map(),
      console: redeemed.console,
      config: { ...config, peers: [redeemed.redeemer] },
      facts: redeemed.facts,
    })
    return {
      id: node.id,
      name: config.name,
      fleet: token.fleet,
      fleetName: redeemed.root.fleetName,
      address: addresses[0] ?? config.listen,
      redeemer: redeemed.redeemer.id,
    }
  } catch (error) {
    if (error instanceof Refusal) await undo()
    throw error
  }
}

/** The key of an earlier try, or a new one, durably. */
async function keptKey(paths: HomePaths): Promise<NodeKey> {
  if (existsSync(paths.nodeKey)) return readNodeKey(readHomeFile(paths.nodeKey))
  const node = newNodeKey()
  makeFolderSync(paths.certs, 0o700)
  await writeDurable(paths.nodeKey, node.key, 0o600)
  return node
}
