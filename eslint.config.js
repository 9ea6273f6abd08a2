import tseslint from 'typescript-eslint'

export default tseslint.config(
  {
    ignores: [
      'node_modules',
      'test/fixtures',
      'instance',
      'certs',
      '.tap',
      'dist',
      'coverage',
      'examples',
      '*.config.js',
      '*.config.cjs',
      'src/boot.js',
    ],
  },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      'max-depth': ['error', 4],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['../*/*', '!../*/index.ts', '!../../*', '!../e2e/*', '!../helpers/*'],
              message: 'import a room through its index.ts',
            },
          ],
        },
      ],
    },
  },
  {
    // The pure rooms: a decision is a function of state, event and time (DESIGN section 4).
    files: ['src/model/**', 'src/facts/**', 'src/mesh/core/**', 'src/rollout/core/**', 'src/transfer/core/**'],
    rules: {
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval', 'setImmediate', 'process', 'fetch', 'performance', 'queueMicrotask'],
      'no-restricted-properties': ['error', { object: 'Date', property: 'now' }, { object: 'Math', property: 'random' }],
      'no-restricted-syntax': [
        'error',
        'AwaitExpression',
        'NewExpression[callee.name="Promise"]',
        'ImportDeclaration[source.value=/^node:/]',
      ],
    },
  },
  {
    // The dashboard runs in a browser; its configuration and its build do not.
    files: ['src/ui/**'],
    rules: {
      'no-restricted-globals': ['error', 'process', 'Buffer', 'global', 'setImmediate', 'event', 'name', 'status', 'open', 'close'],
      // Its folders are parts of one room.
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['../../*/*', '!../../*/index.ts'], message: 'import a room through its index.ts' }] },
      ],
    },
  },
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [], ignoreIIFE: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      'max-lines': 'off',
    },
  },
)
