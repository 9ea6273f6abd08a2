/** The form of a rollout, as the API takes it and as the command line says it. Pure. */
/** What is wished, as `rollouts/draft` and `rollouts` take it. */
export type Wish = Readonly<Record<string, unknown>>

export interface Form {
  readonly whom: 'all' | 'some' | 'tagged'
  readonly only: string
  readonly tags: string
  readonly canary: string
  readonly waves: string
  readonly window: string
  readonly maxFailed: string
  readonly maxMissing: string
  /** Seconds. */
  readonly soak: string
  readonly witnesses: string
  /** Days. */
  readonly deadline: string
  readonly allowDowngrade: boolean
  readonly replaceApp: boolean
  readonly force: boolean
}

export const plainForm: Form = {
  whom: 'all',
  only: '',
  tags: '',
  canary: '',
  waves: '1,10%,50%,100%',
  window: '',
  maxFailed: '',
  maxMissing: '',
  soak: '10',
  witnesses: '1',
  deadline: '7',
  allowDowngrade: false,
  replaceApp: false,
  force: false,
}

const split = (text: string): readonly string[] =>
  text
    .split(',')
    .map(each => each.trim())
    .filter(each => each !== '')

const countOf = (text: string): number | undefined => (text.trim() === '' ? undefined : Number(text))

/** Only what differs from the defaults, which are the node's. */
export function wishOf(release: string, form: Form, by: string, dryRun: boolean): Wish {
  const wish: Record<string, unknown> = {
    release,
    by,
    dryRun,
    waves: form.waves.trim() === '' ? undefined : form.waves,
    only: form.whom === 'some' ? split(form.only) : undefined,
    tags: form.whom === 'tagged' ? split(form.tags) : undefined,
    canary: form.canary.trim() === '' ? undefined : split(form.canary),
    window: form.window.trim() === '' ? undefined : form.window.trim(),
    maxFailed: countOf(form.maxFailed),
    maxMissing: countOf(form.maxMissing),
    soakMs: Math.round(1000 * (countOf(form.soak) ?? 10)),
    witnesses: countOf(form.witnesses),
    deadlineMs: Math.round(86_400_000 * (countOf(form.deadline) ?? 7)),
    allowDowngrade: form.allowDowngrade,
    replaceApp: form.replaceApp,
    force: form.force,
  }
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined))
}

const quoted = (text: string): string => (/^[\w@.,%:+=/-]+$/.test(text) ? text : `"${text.replaceAll('"', '')}"`)

/** The same on the command line. */
export function commandOf(release: string, form: Form, dryRun: boolean): string {
  const option = (name: string, value: string, otherwise = ''): readonly string[] =>
    value.trim() === otherwise ? [] : [`--${name} ${quoted(value.trim())}`]
  return [
    `shoal rollout start ${release}`,
    ...(form.whom === 'some' ? option('only', form.only) : []),
    ...(form.whom === 'tagged' ? split(form.tags).map(tag => `--select ${quoted(tag)}`) : []),
    ...option('canary', form.canary),
    ...option('waves', form.waves, plainForm.waves),
    ...option('max-failed', form.maxFailed),
    ...option('max-missing', form.maxMissing),
    ...(form.soak === plainForm.soak ? [] : [`--soak ${form.soak}s`]),
    ...option('witnesses', form.witnesses, plainForm.witnesses),
    ...(form.deadline === plainForm.deadline ? [] : [`--deadline ${form.deadline}d`]),
    ...option('window', form.window),
    ...(form.allowDowngrade ? ['--allow-downgrade'] : []),
    ...(form.replaceApp ? ['--replace-app'] : []),
    ...(form.force ? ['--force'] : []),
    ...(dryRun ? ['--dry-run'] : []),
  ].join(' ')
}
