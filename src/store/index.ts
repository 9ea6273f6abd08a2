export * from './audit-store.ts'
export * from './integrity.ts'
export * from './node-store.ts'
export * from './people-store.ts'
