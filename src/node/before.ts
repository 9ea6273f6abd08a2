/**
 * How the node was when a switch was asked for, so that the next worker can compare: what no update may change, who was linked, and whether it
 * was ill already.
 */
import { asArray, type LastSwitch, type NodeId, parseJson, parseNodeId } from '../model/index.ts'

export interface Before {
  /** Digest of identity and config.json. */
  readonly protected: string
  readonly linked: readonly NodeId[]
  readonly isIll: boolean
}

export interface Memory {
  remembered(key: string): string | undefined
  remember(key: string, value: string): void
}

const key = 'before'

/** Ends of a switch that say nothing of the release if the node was ill before: it still is. */
const stillIll: readonly string[] = ['APP_UNHEALTHY', 'APP_START_FAILED', 'WORKER_EXITED', 'WORKER_SILENT']

export const rememberBefore = (memory: Memory, before: Before): void => memory.remember(key, JSON.stringify(before))

export function recallBefore(memory: Memory): Before {
  const text = memory.remembered(key)
  const value = text === undefined ? {} : (parseJson(text, key) as { protected?: string; linked?: unknown; isIll?: boolean })
  const linked = asArray(value.linked ?? [], `${key}.linked`, 20_000).map(id => parseNodeId(id))
  return { protected: value.protected ?? '', linked, isIll: value.isIll ?? false }
}

/** Ill before and after is no verdict on the release. */
export function fairVerdict(last: LastSwitch, { isIll }: Before): LastSwitch {
  if (last.result === 'confirmed' || !isIll || !stillIll.includes(last.code)) return last
  return { ...last, code: 'UNHEALTHY_BEFORE', message: `${last.code}: ${last.message}`.slice(0, 1000) }
}
