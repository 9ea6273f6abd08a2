export * from './audit-store.ts'
export * from './node-store.ts'
export * from './people-store.ts'
