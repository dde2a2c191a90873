import { describe, expect, it } from 'vitest'
import { STATE_ACCENT, STATES } from '../store/stages'
import { aMigration, GIB } from '../store/world.fixture'
import { stagesOf } from './rail'
import { seriesOf } from './series'
import { freshened, OUTCOME_STAYS_MS, shownInDock } from './shown'

const standing = (...all: Parameters<typeof aMigration>) =>
  Object.fromEntries(stagesOf(aMigration(...all)).map((stage) => [stage.state, stage.standing]))

describe('the stage rail', () => {
  it('stands where the move stands', () => {
    expect(standing('MOVE0001')).toMatchObject({ preparing: 'behind', pre_copy: 'now', stop_and_copy: 'ahead', done: 'ahead' })
  })

  it('has everything behind it when done', () => {
    expect(standing('MOVE0001', { state: 'done', active: false })).toMatchObject({ verifying: 'behind', done: 'ended' })
  })

  it('claims of a failed move only what its record proves', () => {
    const early = { state: 'failed', active: false, passes: [], started_at: null }
    expect(standing('MOVE0001', early)).toMatchObject({ requested: 'behind', queued: 'ahead', failed: 'ended' })
    expect(standing('MOVE0001', { state: 'failed', active: false })).toMatchObject({ pre_copy: 'behind', stop_and_copy: 'ahead' })
  })

  it('says of a move that is being checked that it is not over', () => {
    expect(standing('MOVE0001', { state: 'uncertain' })).toMatchObject({ pre_copy: 'behind', uncertain: 'now' })
  })

  it.each(STATES)('shows the state %s', (state) => {
    const shown = stagesOf(aMigration('MOVE0001', { state, active: !['done', 'failed', 'cancelled'].includes(state) }))
    expect(shown.map((stage) => stage.state)).toContain(state)
    expect(STATE_ACCENT[state]).toBeTruthy()
  })
})

describe('the saw-tooth', () => {
  it('falls in each pass, jumps up at the next, and ends where the move stands', () => {
    const { at, left, isOpen, starts } = seriesOf(aMigration('MOVE0001'))
    expect(at).toEqual([0, 42, 42, 50])
    expect(left[0]).toBe(4 * GIB)
    expect(left[2]).toBe(2 * GIB)
    expect(isOpen).toBe(true)
    expect(starts).toEqual([{ pass: 1, at: 0 }, { pass: 2, at: 42 }])
  })

  it('adds nothing to what was recorded once the move is over', () => {
    const over = seriesOf(aMigration('MOVE0001', { state: 'cancelled', active: false }))
    expect(over.at).toEqual([0, 42, 42])
    expect(over.isOpen).toBe(false)
  })

  it('never runs backwards, even when a hypervisor says so', () => {
    const [first, second] = aMigration('MOVE0001').passes
    if (!first || !second) throw new Error('the fixture has two passes')
    const { at } = seriesOf(aMigration('MOVE0001', { passes: [first, { ...second, started_ms: 41_900 }] }))
    expect(at).toEqual([...at].sort((one, two) => one - two))
  })
})

describe('the dock', () => {
  const now = Date.parse('2026-11-23T12:10:00Z')
  const ended = (id: string, ago: number) =>
    aMigration(id, { state: 'done', active: false, ended_at: new Date(now - ago).toISOString() })

  it('shows the active moves, and for a while the outcomes', () => {
    const moves = [ended('FRESH001', 1000), aMigration('MOVE0001'), ended('STALE001', OUTCOME_STAYS_MS)]
    expect(shownInDock(moves, new Set(), now).map(({ id }) => id)).toEqual(['MOVE0001', 'FRESH001'])
  })

  it('shows an outcome no more once it was put away, but an active move always', () => {
    const moves = [ended('FRESH001', 1000), aMigration('MOVE0001')]
    expect(shownInDock(moves, new Set(['FRESH001', 'MOVE0001']), now).map(({ id }) => id)).toEqual(['MOVE0001'])
  })
})

describe('the list of migrations', () => {
  it('takes from the feed what is newer, and what began meanwhile', () => {
    const fetched = [aMigration('MOVE0001', { state: 'queued' })]
    const begun = aMigration('MOVE0002', { requested_at: '2026-11-23T12:30:00Z' })
    const old = aMigration('MOVE0000', { state: 'done', active: false })
    const rows = freshened(fetched, [aMigration('MOVE0001'), begun, old])
    expect(rows.map(({ id, state }) => [id, state])).toEqual([['MOVE0002', 'pre_copy'], ['MOVE0001', 'pre_copy']])
  })
})
