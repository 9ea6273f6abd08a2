/** Which facts go first. Kinds that are not named here, also those of later versions, are announced and pulled like statuses. */

/** Pushed at once on links, durable before they are passed on. */
const urgentKinds: ReadonlySet<string> = new Set(['order', 'control', 'hold', 'removal', 'root', 'member'])
/** After these, facts may be good that were not before, and peers may be members no more. */
const trustKinds: ReadonlySet<string> = new Set(['removal', 'root', 'member'])
const ranks: ReadonlyMap<string, number> = new Map([
  ['root', 0],
  ['member', 1],
  ['removal', 1],
  ['order', 2],
  ['control', 2],
  ['hold', 2],
])

export const isUrgent = (kind: string): boolean => urgentKinds.has(kind)
export const isTrust = (kind: string): boolean => trustKinds.has(kind)
/** 0 goes first: what others are judged by. */
export const rankOf = (kind: string): number => ranks.get(kind) ?? 3
