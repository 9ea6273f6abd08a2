/**
 * The one module that loader and supervisor start, in every release (its name is frozen): `supervise`, `work`, or the command line.
 * Each loads only what it needs: the supervisor none of the worker's modules, a command none of either.
 */
async function enter(argv: readonly string[]): Promise<void> {
  const [what, ...rest] = argv
  if (what === 'supervise') {
    const { supervise } = await import('./supervisor/index.ts')
    await supervise(rest)
  } else if (what === 'work') {
    const { work } = await import('./main.ts')
    await work(rest)
  } else {
    const { run } = await import('./cli/main.ts')
    process.exitCode = await run(argv)
  }
}

await enter(process.argv.slice(2))
