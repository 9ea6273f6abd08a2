/** What is wished gone of a disk, as the API takes it and as the command line says it. Pure. */
const dayMs = 86_400_000

export interface PruneWish {
  readonly all: boolean
  readonly logs: boolean
  /** Days, as they are typed; empty: no backup goes. */
  readonly backupDays: string
}

export const plainPrune: PruneWish = { all: false, logs: false, backupDays: '' }

export const pruneBody = ({ all, logs, backupDays }: PruneWish): object => ({
  all,
  logs,
  ...(backupDays.trim() === '' ? {} : { backupsOlderMs: Math.round(Number(backupDays) * dayMs) }),
})

export const pruneCommand = ({ all, logs, backupDays }: PruneWish, isDry: boolean): string =>
  [
    'shoal prune',
    ...(all ? ['--all'] : []),
    ...(logs ? ['--logs'] : []),
    ...(backupDays.trim() === '' ? [] : [`--backups-older ${backupDays.trim()}d`]),
    ...(isDry ? ['--dry-run'] : []),
  ].join(' ')
