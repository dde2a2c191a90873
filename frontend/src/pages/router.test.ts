import { describe, expect, it } from 'vitest'
import { routeOf } from './router.svelte'

describe('the addresses of the pages', () => {
  it.each([
    ['/', { page: 'board' }],
    ['/migrations', { page: 'migrations' }],
    ['/migrations/', { page: 'migrations' }],
    ['/migrations/7F3K-2QXZ', { page: 'migration', id: '7F3K-2QXZ' }],
    ['/maintenances/7F3K-2QXZ', { page: 'maintenance', id: '7F3K-2QXZ' }],
    ['/hosts/3/maintenance', { page: 'maintenance_plan', host: 3 }],
    ['/hosts/x/maintenance', { page: 'not_found' }],
    ['/hosts/3', { page: 'not_found' }],
    ['/storage', { page: 'storage' }],
    ['/history', { page: 'history' }],
    ['/history/1', { page: 'not_found' }],
    ['/migrations/1/2', { page: 'not_found' }],
    ['/elsewhere', { page: 'not_found' }],
  ])('%s', (path, route) => {
    expect(routeOf(path)).toEqual(route)
  })
})
