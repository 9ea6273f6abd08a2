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

interface Moment {
  readonly today: number
  readonly now: number
}

/** Day of the week and minute of the day, as a clock of the window's zone shows them. */
function momentIn(zone: string | undefined, at: Date): Moment {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(at)
  const part = (type: string): string => parts.find(p => p.type === type)?.value ?? ''
  return { today: days.indexOf(part('weekday')), now: minutes(part('hour'), part('minute')) }
}

const isOn = (w: Window, day: number): boolean => w.days.includes(days[(day + 7) % 7] ?? '')

/** Is the moment inside? A window that ends before it begins runs over midnight and belongs to the day on which it begins. */
export function isInWindow(text: string, at: Date): boolean {
  const w = parseWindow(text)
  const { today, now } = momentIn(w.zone, at)
  if (w.fromMin < w.toMin) return isOn(w, today) && now >= w.fromMin && now < w.toMin
  return (isOn(w, today) && now >= w.fromMin) || (isOn(w, today - 1) && now < w.toMin)
}

/** When a window that is shut opens next, as a clock of its zone shows it: `Sat 02:00 Europe/Berlin`; null: it is open. */
export function opensNext(text: string, at: Date): string | null {
  if (isInWindow(text, at)) return null
  const w = parseWindow(text)
  const { today, now } = momentIn(w.zone, at)
  const ahead = [0, 1, 2, 3, 4, 5, 6, 7].find(n => isOn(w, today + n) && (n > 0 || now < w.fromMin)) ?? 0
  const two = (n: number): string => String(n).padStart(2, '0')
  const time = `${two(Math.floor(w.fromMin / 60))}:${two(w.fromMin % 60)}`
  return [days[(today + ahead) % 7], time, ...(w.zone === undefined ? [] : [w.zone])].join(' ')
}
