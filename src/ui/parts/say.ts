/** Numbers, times and sizes as people of a language write them. Pure: the time is given. */

const steps = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
] as const

/** A span of time in its greatest unit: `3 hours`. */
export function duration(ms: number, locale: string, display: 'long' | 'narrow' = 'long'): string {
  const [size, unit] = steps.find(([each]) => ms >= each) ?? steps[3]
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: display }).format(Math.max(0, Math.floor(ms / size)))
}

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const

export function size(bytes: number, locale: string): string {
  const at = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const format = { style: 'unit', unit: units[at] ?? 'byte', unitDisplay: 'short', maximumFractionDigits: at === 0 ? 0 : 1 } as const
  return new Intl.NumberFormat(locale, format).format(bytes / 1000 ** at)
}

export const count = (n: number, locale: string): string => new Intl.NumberFormat(locale).format(n)

/** When something was: the time of today, else with its day. '' where the node never said. */
export function moment(iso: string, locale: string, now: number): string {
  const at = new Date(iso)
  if (iso === '' || Number.isNaN(at.getTime())) return ''
  const isToday = at.toDateString() === new Date(now).toDateString()
  const time = { hour: '2-digit', minute: '2-digit' } as const
  return new Intl.DateTimeFormat(locale, isToday ? time : { ...time, day: 'numeric', month: 'short' }).format(at)
}

/** `name@version` in words: `name 1.2.3`. */
export const releaseName = (release: string): string => {
  const at = release.lastIndexOf('@')
  return at < 1 ? release : `${release.slice(0, at)} ${release.slice(at + 1)}`
}

/** A fingerprint as browsers show it: `AA:BB:…`. */
export const colons = (hex: string): string => (hex.match(/../g) ?? []).join(':').toUpperCase()

export const shortId = (id: string): string => id.slice(0, 8)

/** `name@version`, as orders and commands name a release. */
export const idOf = (release: { readonly name: string; readonly version: string }): string => `${release.name}@${release.version}`

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const aSunday = Date.UTC(2026, 10, 29)

/** When a window opens, with the day in the language: `Sat 02:00 Europe/Berlin` is `Sa 02:00 (Europe/Berlin)`. */
export function opening(text: string, locale: string): string {
  const [, day = '', time = '', zone] = /^(\w{3}) (\d\d:\d\d)(?: (\S+))?$/.exec(text) ?? []
  if (time === '') return text
  const date = aSunday + 86_400_000 * days.indexOf(day)
  const name = new Intl.DateTimeFormat(locale, { weekday: 'short', timeZone: 'UTC' }).format(date)
  return `${name} ${time}${zone === undefined ? '' : ` (${zone})`}`
}
