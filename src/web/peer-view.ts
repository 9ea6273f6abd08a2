/** A peer and the way to it, as a node tells of them; read field by field where another node does. */
import { asBoolean, asInteger, asOneOf, asString, Fields, type NodeId, parseNodeId } from '../model/index.ts'
import type { ProbeStep, Reach } from './services.ts'

const maxSteps = 20

export interface PeerView {
  readonly id: NodeId
  readonly name: string
  readonly address: string
  readonly pinned: boolean
  readonly reach: Reach
  /** ms since the link to it is up; null: there is none. */
  readonly linkedMs: number | null
  /** This node called the other; null: there is no link. */
  readonly dialled: boolean | null
}

export interface PeerTest {
  readonly id: NodeId | null
  readonly address: string
  readonly ok: boolean
  /** The first step that fails; null: none. */
  readonly step: string | null
  readonly message: string
  readonly steps: readonly ProbeStep[]
}

/** @throws ShoalError BAD_REQUEST */
export function parsePeer(value: unknown, where: string): PeerView {
  const f = new Fields(value, where)
  return {
    id: f.get('id', parseNodeId),
    name: f.string('name', 100),
    address: f.string('address', 300),
    pinned: f.boolean('pinned'),
    reach: f.get('reach', (v, w) => asOneOf(v, w, ['self', 'direct', 'via', 'lost'])),
    linkedMs: f.maybe('linkedMs', (v, w) => asInteger(v, w), null),
    dialled: f.maybe('dialled', asBoolean, null),
  }
}

/** @throws ShoalError BAD_REQUEST */
export function parsePeerTest(value: unknown, where: string): PeerTest {
  const f = new Fields(value, where)
  const step = (v: unknown, w: string): PeerTest['steps'][number] => {
    const of = new Fields(v, w)
    return { step: of.string('step', 100), ok: of.boolean('ok'), message: of.string('message') }
  }
  return {
    id: f.maybe('id', parseNodeId, null),
    address: f.string('address', 300),
    ok: f.boolean('ok'),
    step: f.maybe('step', (v, w) => asString(v, w, 100), null),
    message: f.string('message'),
    steps: f.list('steps', step, maxSteps),
  }
}
