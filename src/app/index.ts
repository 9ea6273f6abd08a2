export { type AppHost, createHost, type Logger, readSettings } from './host.ts'
export { type AppModule, importApp, migrateApp } from './load.ts'
export { RunningApp, startApp } from './run.ts'
