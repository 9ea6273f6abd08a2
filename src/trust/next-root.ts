/** The next version of the root: what it changes is said, everything else is carried over, and it names the one before. */
import { maxRootText, ShoalError } from '../model/index.ts'
import type { Signer } from './keys.ts'
import { makeRoot, type RetiredPerson, type RootContent, spareAdminsOf, type TrustedRoot } from './root.ts'

/** Characters of one digest in a list. */
const digestChars = 67

export type RootChange = Partial<Pick<RootContent, 'people' | 'retired' | 'spareAdmins'>>

/**
 * Of removed people's documents as many are named as there is room for; what matters least stands last in each list.
 * @param signers an admin of `root`; a person who gets a new key signs with that one too
 * @throws ShoalError TOO_LARGE
 */
export function nextRootText(root: TrustedRoot, change: RootChange, signers: readonly Signer[]): string {
  const { version, fleetName, people, caPin, thresholds } = root
  const retired = change.retired ?? root.retired
  const kept = { fleetName, people, caPin, thresholds, spareAdmins: spareAdminsOf(root) }
  const make = (named: readonly RetiredPerson[]): string =>
    makeRoot({ ...kept, ...change, retired: named, version: version + 1, previous: root.id }, signers)
  const text = make(retired)
  if (text.length <= maxRootText) return text
  const shorter = make(fitting(retired, Math.ceil((text.length - maxRootText) / digestChars)))
  if (shorter.length <= maxRootText) return shorter
  throw new ShoalError(
    'TOO_LARGE',
    `root: ${shorter.length} characters with ${people.length} people and ${retired.length} former keys, at most ${maxRootText}`,
  )
}

/** The longest lists give first. */
function fitting(retired: readonly RetiredPerson[], over: number): readonly RetiredPerson[] {
  const lists = retired.map(p => [...p.keeps])
  for (let left = over; left > 0 && lists.length > 0; left--) lists.reduce((a, b) => (b.length > a.length ? b : a)).pop()
  return retired.map((p, at) => ({ ...p, keeps: lists[at] ?? [] }))
}
