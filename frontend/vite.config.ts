import { svelte } from '@sveltejs/vite-plugin-svelte'
import { svelteTesting } from '@testing-library/svelte/vite'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  base: '/static/bundle/',
  plugins: [svelte(), svelteTesting()],
  build: {
    outDir: '../build/frontend',
    emptyOutDir: true,
    manifest: true,
    // The first browsers that know light-dark(), which all colours are written with.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: { input: ['src/pages/main.ts', 'src/pages/plain.css'] },
  },
  server: { port: 5173, strictPort: true, origin: 'http://localhost:5173' },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    restoreMocks: true,
  },
})
