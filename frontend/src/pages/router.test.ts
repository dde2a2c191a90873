import { describe, expect, it } from 'vitest'
import { routeOf } from './router.svelte'

describe('the addresses of the pages', () => {
  it.each([
    ['/', { page: 'board' }],
    ['/migrations', { page: 'migrations' }],
    ['/migrations/', { page: 'migrations' }],
    ['/migrations/7F3K-2QXZ', { page: 'migration', id: '7F3K-2QXZ' }],
    ['/storage', { page: 'storage' }],
    ['/history', { page: 'history' }],
    ['/history/1', { page: 'not_found' }],
    ['/migrations/1/2', { page: 'not_found' }],
    ['/elsewhere', { page: 'not_found' }],
  ])('%s', (path, route) => {
    expect(routeOf(path)).toEqual(route)
  })
})
