import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

// What may know what. The newest matching block wins, so each says all that holds for its files.
const go = {
  selector: 'MemberExpression[property.name=/^(go|runtime)$/]:has(Identifier[name=/^(window|globalThis)$/])',
  message: 'Only src/backend talks to Go.',
};
const wailsjs = { regex: 'wailsjs', message: 'Only src/backend talks to Go.' };
const fakes = { regex: 'backend/fake', message: 'The fake backend is for tests and e2e/preview.ts.' };
const door = { regex: 'backend/wails', message: 'Only main.ts opens the door to Go; take the Backend you are given.' };
const domain = { regex: '/(backend|state|screens|i18n)/', message: 'Parts know nothing of us: pass words and data in.' };
const screens = { regex: '/screens/', message: 'State knows no screens.' };
const imports = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] });

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'wailsjs/', 'test-results/', 'playwright-report/'] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: globals.browser,
      parserOptions: { projectService: { allowDefaultProject: ['*.js'] }, extraFileExtensions: ['.svelte'], tsconfigRootDir: import.meta.dirname },
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    rules: {
      // What comes from another component has no type here; svelte-check sees it and is the one that decides.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    rules: {
      'no-restricted-syntax': ['error', go],
      'no-eval': 'error',
      'no-console': 'error',
      'svelte/no-at-html-tags': 'error',
      'svelte/no-inline-styles': ['error', { allowTransitions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidOperator: true }],
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
    },
  },
  { files: ['src/**'], rules: imports(wailsjs, fakes, door) },
  { files: ['src/parts/**'], rules: imports(wailsjs, domain) },
  { files: ['src/state/**'], rules: imports(wailsjs, fakes, door, screens) },
  { files: ['src/main.ts'], rules: imports(wailsjs, fakes) },
  { files: ['src/backend/**'], rules: { 'no-restricted-imports': 'off', 'no-restricted-syntax': 'off' } },
  { files: ['src/**/*.test.ts', 'src/test/**'], rules: imports(wailsjs) },
  { files: ['*.js'], extends: [ts.configs.disableTypeChecked] },
);
