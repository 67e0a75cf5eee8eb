import { fileURLToPath } from 'node:url';

import js from '@eslint/js';
import globals from 'globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = ['static/js/**/*.js'];
const worklets = ['static/js/worklets/*.js'];
const tests = ['tests/browser/**/*.{js,mjs}', 'tests/clients/**/*.mjs', 'examples/**/*.mjs'];

const strict = {
  ...js.configs.recommended.rules,
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-var': 'error',
  'prefer-const': 'error',
  'no-implicit-globals': 'error',
  'no-console': 'error',
  'no-eval': 'error',
  'no-implied-eval': 'error',
  'no-shadow': 'error',
  'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
  'object-shorthand': 'error',
  'prefer-template': 'error',
  'max-lines': ['error', { max: 450, skipComments: true }],
};

export default [
  { ignores: ['**/node_modules/**', '**/output/**'] },
  { basePath: root, files: page, ignores: worklets, languageOptions: { globals: globals.browser }, rules: strict },
  { basePath: root, files: worklets, languageOptions: { globals: globals.audioWorklet }, rules: strict },
  {
    basePath: root,
    files: tests,
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { ...strict, 'no-console': 'off' },
  },
];
