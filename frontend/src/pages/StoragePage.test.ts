import { cleanup, render, screen } from '@testing-library/svelte'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fromSnapshot } from '../store/board'
import type { Live } from '../store/live.svelte'
import { aBoard, aRepository } from '../store/world.fixture'
import StoragePage from './StoragePage.svelte'

vi.mock('../api/calls', () => ({
  fetchLeftoverDisks: () => Promise.resolve({ items: [], next: null }),
  fetchStorageCosts: () => Promise.resolve({ items: [], next: null }),
  vouchForStorage: vi.fn(),
  withdrawVouch: vi.fn(),
}))

afterEach(cleanup)

describe('the storage page', () => {
  it('shows storage that no host reaches apart from what can be moved to', () => {
    const storage_repositories = [aRepository(1, 'san'), { ...aRepository(2, 'nfs'), hosts: [] }]
    const live = { board: fromSnapshot(aBoard({ storage_repositories })) } as unknown as Live
    render(StoragePage, { live })
    expect(screen.getAllByTestId('storage-row').map((row) => row.dataset['storageName'])).toEqual(['san'])
    const apart = screen.getByTestId('unreached-storage')
    expect(apart.textContent).toContain('1 repository that no host reaches')
    expect(apart.textContent).toContain('nfs')
  })
})
