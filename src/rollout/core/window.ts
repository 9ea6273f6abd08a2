/** Time windows of orders, `Sat 02:00-04:00 Europe/Berlin` or `02:00-04:00`; the zone is the node's own if none is named. */
import { ShoalError } from '../../model/index.ts'

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

interface Window {
  readonly days: readonly string[]
  readonly fromMin: number
  readonly toMin: number
  readonly zone: string | undefined
}

const minutes = (h: string | undefined, m: string | undefined): number => Number(h) * 60 + Number(m)

/** @throws ShoalError BAD_REQUEST */
export function parseWindow(text: string): Window {
  const match =
    /^(?:([A-Z][a-z]{2}(?:,[A-Z][a-z]{2})*) )?([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)(?: ([A-Za-z_+\-/0-9]{1,64}))?$/.exec(text)
  const named = match?.[1]?.split(',') ?? days
  if (match === null || named.some(d => !days.includes(d)))
    throw new ShoalError('BAD_REQUEST', `window: "${text}" is none such as "Sat 02:00-04:00 Europe/Berlin"`)
  const zone = match[6]
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: zone })
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `window: there is no time zone "${zone ?? ''}"`, { cause })
  }
  return { days: named, fromMin: minutes(match[2], match[3]), toMin: minutes(match[4], match[5]), zone }
}

/** Is the moment inside? A window that ends before it begins runs over midnight and belongs to the day on which it begins. */
export function isInWindow(text: string, at: Date): boolean {
  const w = parseWindow(text)
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: w.zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(at)
  const part = (type: string): string => parts.find(p => p.type === type)?.value ?? ''
  const now = minutes(part('hour'), part('minute'))
  const today = days.indexOf(part('weekday'))
  const isOn = (day: number): boolean => w.days.includes(days[(day + 7) % 7] ?? '')
  if (w.fromMin < w.toMin) return isOn(today) && now >= w.fromMin && now < w.toMin
  return (isOn(today) && now >= w.fromMin) || (isOn(today - 1) && now < w.toMin)
}
