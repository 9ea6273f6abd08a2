/** `Range` of one byte range (RFC 9110, section 14.2); several ranges or other units are answered whole, as the RFC allows. */
import { ShoalError } from '../model/index.ts'

/** @throws ShoalError RANGE_NOT_SATISFIABLE */
export function parseRange(header: string, size: number): { readonly start: number; readonly end: number } | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header)
  const [, from = '', to = ''] = match ?? []
  if (match === null || (from === '' && to === '')) return null
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? size - 1 : Math.min(size - 1, Number(to))
  if (start > end || start >= size) throw new ShoalError('RANGE_NOT_SATISFIABLE', `range ${header}, the file has ${size} bytes`)
  return { start, end }
}
