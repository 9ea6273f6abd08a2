/** A throw-away fleet: its CA, and nodes with keys and certificates, made by the real trust room. */
import { createHash, randomBytes } from 'node:crypto'
import type { FleetId, NodeId } from '../../src/model/index.ts'
import { parseFleetId, toBase32 } from '../../src/model/index.ts'
import { type KeyAndCertificate, makeCa, makeNodeCertificate, makeWebCertificate, newNodeKey, serverNameOf } from '../../src/trust/index.ts'

export interface TestNode extends KeyAndCertificate {
  readonly id: NodeId
  readonly serverName: string
}

export interface TestFleet {
  readonly id: FleetId
  readonly domain: string
  readonly ca: KeyAndCertificate
  readonly node: () => TestNode
}

export function testFleet(): TestFleet {
  const id = parseFleetId(toBase32(createHash('sha256').update(randomBytes(8)).digest()))
  const ca = makeCa()
  const node = (): TestNode => {
    const made = newNodeKey()
    return { id: made.id, key: made.key, cert: makeNodeCertificate(made.spki, id, ca), serverName: serverNameOf(made.id, id) }
  }
  return { id, domain: `${id}.shoal`, ca, node }
}

export const testWeb = (): KeyAndCertificate => makeWebCertificate(['localhost', '127.0.0.1'])
