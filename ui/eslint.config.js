import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['dist', 'node_modules', 'look/out', 'src/backend/generated'] },
  js.configs.recommended,
  ts.configs.strictTypeChecked,
  svelte.configs['flat/recommended'],
  {
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: { projectService: true, extraFileExtensions: ['.svelte'] },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `void value` in an effect names what it depends on
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // the content security policy of the window allows no inline style. `style:name={value}` goes through the CSSOM, which it leaves
      // alone; what stands in the markup it refuses, also on the element that Svelte puts around a component with `--name`
      'no-restricted-syntax': [
        'error',
        ...[
          'SvelteElement > SvelteStartTag > SvelteAttribute[key.name="style"]',
          'SvelteElement[kind="component"] > SvelteStartTag > SvelteAttribute[key.name=/^--/]',
          'SvelteElement[name.name="svelte:options"] SvelteAttribute[key.name="css"]',
          'CallExpression[callee.property.name=/^setAttribute(NS)?$/] > Literal[value="style"]',
          'CallExpression[callee.property.name=/^createElement(NS)?$/] > Literal[value="style"]',
        ].map((selector) => ({ selector, message: 'The content security policy allows no inline style: take a class, or `style:name={value}`.' })),
      ],
    },
  },
  { files: ['**/*.svelte'], languageOptions: { parserOptions: { parser: ts.parser } } },
  { files: ['**/*.svelte.ts'], languageOptions: { parser: ts.parser } },
  { files: ['*.js', 'look/*.mjs'], extends: [ts.configs.disableTypeChecked], languageOptions: { globals: { ...globals.node } } },
);
