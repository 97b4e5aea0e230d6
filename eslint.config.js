import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'dist/**',
      'dist-bench/**',
      'packages/*/dist/**',
      'coverage/**',
      'node_modules/**',
      '**/*.mjs',
      'test/contract/fixtures/**',
    ],
  },
  eslint.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Time comes from Clock (src/platform/clock.ts).' },
        { object: 'Math', property: 'random', message: 'Randomness comes from Random (src/platform/random.ts).' },
        { object: 'process', property: 'env', message: 'Settings come from src/platform/config.ts.' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'Time comes from Clock (src/platform/clock.ts).',
        },
      ],
    },
  },
  {
    files: [
      'src/platform/clock.ts',
      'src/platform/random.ts',
      'packages/receiver/src/system-clock.ts',
      'src/platform/config.ts',
      'test/**',
      '**/*.spec.ts',
      'bench/**',
    ],
    rules: { 'no-restricted-properties': 'off', 'no-restricted-syntax': 'off' },
  },
  { files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
);
