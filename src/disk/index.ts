/** The disk of a home: what lies there, what needs it, what may go. */
export { type DiskOptions, type DiskView, noWish, prune, type Pruned, type PruneWish, survey } from './survey.ts'
