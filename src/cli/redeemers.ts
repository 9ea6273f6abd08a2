/** The last node that lets others in does not go without a word. */
import { ShoalError } from '../model/index.ts'
import type { FleetAnswer } from './answers.ts'
import type { Args } from './spec.ts'

export const forceOption = { flags: '--force', about: 'also if no node would be left that lets others in' }

/** @throws ShoalError LAST_REDEEMER unless --force says that it is meant */
export function mayGo(fleet: FleetAnswer, node: string, args: Args): void {
  const { redeemers } = fleet
  if (args.has('force') || redeemers === null || !redeemers.some(id => id === node) || redeemers.length > 1) return
  throw new ShoalError('LAST_REDEEMER', `${node.slice(0, 8)} is the only node of fleet ${fleet.name} that lets others in`)
}
