/** The one form of Range that is served (RFC 9110, section 14): a single range of bytes. Other units and several ranges are as if there were none. */

export type RangeAnswer =
  | { readonly t: 'whole' }
  /** Both included. */
  | { readonly t: 'part'; readonly first: number; readonly last: number }
  | { readonly t: 'unsatisfiable' }

export function parseRange(header: string | undefined, size: number): RangeAnswer {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  const [, from = '', to = ''] = match ?? []
  if (match === null || (from === '' && to === '')) return { t: 'whole' }
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  return first > last ? { t: 'unsatisfiable' } : { t: 'part', first, last }
}
