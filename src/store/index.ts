export * from './node-store.ts'
