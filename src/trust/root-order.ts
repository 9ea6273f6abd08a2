/**
 * Two admins, or one at two places, may sign the same version of the root while the network is cut. Of all that follow the same root one counts,
 * for every node and in whatever sequence they come. What takes an admin out goes before all else, and of two such the one whose signer ranks
 * higher: the recovery kit, then who is there for longer; so nobody undoes their own removal by a root of the same version. Then the one with
 * fewer people: an addition never undoes a removal.
 */
import { adminsByRank, signersOf, type TrustedRoot } from './root.ts'

interface Weight {
  readonly dropsAdmin: boolean
  readonly rank: number
  readonly people: number
  readonly id: string
  readonly text: string
}

function weigh(root: TrustedRoot, before: TrustedRoot): Weight {
  const [signer] = signersOf(root.text, before)
  const dropsAdmin = before.admins.some(id => !root.admins.includes(id))
  return {
    dropsAdmin,
    rank: dropsAdmin && signer !== undefined ? adminsByRank(before).indexOf(signer) : 0,
    people: root.people.length,
    id: root.id,
    text: root.text,
  }
}

const byText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

/** Negative: `a` counts, positive: `b`. Both follow `before`. A total order, so that the winner of many does not depend on who met whom first. */
export function compareRoots(a: TrustedRoot, b: TrustedRoot, before: TrustedRoot): number {
  const [one, other] = [weigh(a, before), weigh(b, before)]
  return (
    Number(other.dropsAdmin) - Number(one.dropsAdmin) ||
    one.rank - other.rank ||
    one.people - other.people ||
    byText(one.id, other.id) ||
    byText(one.text, other.text)
  )
}
