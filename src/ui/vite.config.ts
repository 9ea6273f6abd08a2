/**
 * How the dashboard is built: one script, one style sheet, nothing inlined and no polyfill, because the page's content security policy allows
 * files of its own origin only. One script also means that no part is missing when its node changes to another version.
 */
import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  base: '/_shoal/',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2023',
    outDir: '../../dist/ui',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    cssCodeSplit: false,
  },
})
