import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import type { Problem } from '../api/types'
import { fromSnapshot } from '../store/board'
import { aBoard, aHost } from '../store/world.fixture'
import { emptyHost, faultsOf, fieldsOf, hostBody } from './addressing'
import { answers, column, json, onStage, posts, requests, show } from './board.fixture'
import BoardBar from './BoardBar.svelte'

onStage()

const aProblem = (more: Partial<Problem>): Problem => ({
  type: 'urn:xenweb:problem:address_refused',
  title: 'Unprocessable Entity',
  status: 422,
  detail: 'The user is not a plain user name.',
  code: 'address_refused',
  remedy: 'Give another.',
  ...more,
})
const refused = (field: string, sentence: string) => json(aProblem({ errors: [{ field, sentence }] }), 422)
const ADA = aBoard().actor
const BOB = { ...ADA, may_manage_hosts: false }

function bar(actor = ADA, board = aBoard()) {
  const rest = { link: 'live' as const, find: '', clear: () => undefined, team: '', halted: true }
  render(BoardBar, { board: fromSnapshot({ ...board, actor }), ...rest })
}

async function form(): Promise<HTMLElement> {
  await fireEvent.click(screen.getByTestId('add-host'))
  return screen.findByTestId('add-host-dialog')
}
const type = (dialog: HTMLElement, label: string, value: string) =>
  fireEvent.input(within(dialog).getByLabelText(label), { target: { value } })
const submit = (dialog: HTMLElement) => fireEvent.submit(dialog.querySelector('form') ?? dialog)

describe('adding a host', () => {
  it('is offered to administrators only', () => {
    bar(BOB)
    expect(screen.queryByTestId('add-host')).toBeNull()
    cleanup()
    bar()
    expect(screen.getByTestId('add-host')).toBeTruthy()
  })

  it('sends what the fields hold, and closes', async () => {
    answers.refuse = () => json(aHost(4, 'kvm-04'), 201)
    bar()
    const dialog = await form()
    await type(dialog, 'Address', ' kvm-04 ')
    await type(dialog, 'User', 'root')
    await type(dialog, 'Port', '2222')
    await submit(dialog)
    await waitFor(() => expect(screen.queryByTestId('add-host-dialog')).toBeNull())
    expect(await posts()[0]?.json()).toEqual({
      pool: 'rack-2',
      hypervisor: 'qemu',
      transport: 'ssh',
      address: 'kvm-04',
      user: 'root',
      port: 2222,
      fingerprints: [],
      uri: '',
      migration_address: '',
      credential: '',
    })
  })

  it('of XenServer is sent with the certificates that the person has confirmed, and with no others', async () => {
    const seen = { expired: false, ends: '2036-01-02T03:04:05Z' }
    const items = [
      { ...seen, host: '10.0.0.2', sha256: 'ab'.repeat(32), leads: false },
      { ...seen, host: '10.0.0.3', sha256: 'cd'.repeat(32), leads: true },
      { ...seen, host: '10.0.0.4', sha256: 'ef'.repeat(32), leads: false, expired: true },
    ]
    answers.refuse = () => json({ items })
    bar()
    const dialog = await form()
    await fireEvent.change(within(dialog).getByLabelText('Hypervisor'), { target: { value: 'xapi' } })
    expect(within(dialog).queryByLabelText('Reached by')).toBeNull()
    await type(dialog, 'Address', ' 10.0.0.2 ')
    await type(dialog, 'User', 'root')
    await type(dialog, 'Password', 'secret')
    await fireEvent.click(within(dialog).getByTestId('look-at-certificates'))
    const boxes = await within(dialog).findAllByRole('checkbox')
    expect(await posts()[0]?.json()).toEqual({ pool: 'rack-2', address: '10.0.0.2', port: null })
    expect(boxes.map((box) => (box as HTMLInputElement).disabled)).toEqual([false, false, true])
    expect(within(dialog).getByTestId('fingerprints').textContent).toContain('abab abab')
    expect(within(dialog).getByTestId('fingerprints').textContent).toContain('leads its pool')
    await fireEvent.click(boxes[1] as HTMLElement)
    answers.refuse = () => json(aHost(4, 'xcp-4'), 201)
    await submit(dialog)
    await waitFor(() => expect(posts()).toHaveLength(2))
    expect(await posts()[1]?.json()).toMatchObject({
      hypervisor: 'xapi',
      transport: 'tls',
      address: '10.0.0.2',
      user: 'root',
      credential: 'secret',
      fingerprints: ['cd'.repeat(32)],
    })
  })

  it('forgets what was confirmed for another address', async () => {
    const one = { host: '10.0.0.2', sha256: 'ab'.repeat(32), leads: true, expired: false, ends: '2036-01-02T03:04:05Z' }
    answers.refuse = () => json({ items: [one] })
    bar()
    const dialog = await form()
    await fireEvent.change(within(dialog).getByLabelText('Hypervisor'), { target: { value: 'xapi' } })
    await type(dialog, 'Address', '10.0.0.2')
    await fireEvent.click(within(dialog).getByTestId('look-at-certificates'))
    await fireEvent.click(await within(dialog).findByRole('checkbox'))
    await type(dialog, 'Address', '10.0.0.9')
    await waitFor(() => expect(within(dialog).queryByRole('checkbox')).toBeNull())
    answers.refuse = () => refused('fingerprints', 'No certificate is trusted.')
    await submit(dialog)
    expect((await within(dialog).findByTestId('field-fault')).textContent).toBe('No certificate is trusted.')
    expect(await posts()[1]?.json()).toMatchObject({ fingerprints: [] })
  })

  it('takes a URI instead', async () => {
    answers.refuse = () => json(aHost(4, 'kvm-04'), 201)
    bar()
    const dialog = await form()
    await fireEvent.click(within(dialog).getByLabelText('By a URI'))
    await type(dialog, 'URI', 'qemu+ssh://root@kvm-04/system')
    await submit(dialog)
    await waitFor(() => expect(posts()).toHaveLength(1))
    expect(await posts()[0]?.json()).toMatchObject({ uri: 'qemu+ssh://root@kvm-04/system', hypervisor: '', transport: '' })
  })

  it('shows what was refused beside its field, which takes the focus', async () => {
    answers.refuse = () => refused('user', 'The user is not a plain user name.')
    bar()
    const dialog = await form()
    await type(dialog, 'Address', 'kvm-04')
    await type(dialog, 'User', '-x')
    await submit(dialog)
    const user = within(dialog).getByLabelText('User')
    await waitFor(() => expect(user.getAttribute('aria-invalid')).toBe('true'))
    const fault = within(dialog).getByTestId('field-fault')
    expect(fault.textContent).toBe('The user is not a plain user name.')
    expect(user.getAttribute('aria-describedby')).toBe(fault.id)
    expect(document.activeElement).toBe(user)
    expect(within(dialog).getByRole('alert').textContent).toContain('correct the fields')
  })

  it('says in full what no field is to blame for', async () => {
    answers.refuse = () => json(aProblem({ status: 409, code: 'host_exists', detail: 'It is on the board already.' }), 409)
    bar()
    const dialog = await form()
    await type(dialog, 'Address', 'host-a')
    await submit(dialog)
    expect((await within(dialog).findByTestId('refusal')).textContent).toContain('It is on the board already.')
  })
})

describe('the fields of a host', () => {
  const typed = { ...emptyHost('rack-2'), address: 'kvm-04', user: 'root', port: 22, uri: 'qemu:///system' }

  it.each([
    ['ssh', ['address', 'user', 'port']],
    ['tls', ['address', 'port']],
    ['unix', []],
  ] as const)('are those that %s takes, and no others are sent', (transport, wanted) => {
    const form = { ...typed, transport }
    expect(fieldsOf(form).filter((field) => ['address', 'user', 'port'].includes(field))).toEqual(wanted)
    expect(hostBody(form)).toMatchObject({
      address: transport === 'unix' ? '' : 'kvm-04',
      user: transport === 'ssh' ? 'root' : '',
      port: transport === 'unix' ? null : 22,
      uri: '',
    })
  })

  it('bear the faults that the server finds in parts of a URI, and those of validation', () => {
    const problem = aProblem({ errors: [{ field: 'port', sentence: 'One.' }, { field: 'body.body.pool', sentence: 'Two.' }] })
    expect(faultsOf(problem, { ...typed, way: 'uri' })).toEqual({ uri: 'One.', pool: 'Two.' })
    expect(faultsOf(problem, { ...typed, transport: 'unix' })).toEqual({ pool: 'Two.' })
    expect(faultsOf(null, typed)).toEqual({})
  })
})

describe('removing a host', () => {
  it('is offered to administrators only', () => {
    show(aBoard({ actor: BOB }))
    expect(screen.queryByTestId('host-menu')).toBeNull()
  })

  it('asks first, then says why it is refused', async () => {
    answers.refuse = () => json(aProblem({ status: 409, code: 'host_busy', detail: 'host-b takes part in a move.' }), 409)
    show()
    await fireEvent.click(within(column('host-b')).getByTestId('host-menu'))
    await fireEvent.click(within(column('host-b')).getByRole('menuitem', { name: 'Remove host-b…' }))
    const dialog = await screen.findByTestId('remove-host-dialog')
    expect(requests).toHaveLength(0)
    await fireEvent.click(within(dialog).getByTestId('remove-host-confirm'))
    expect((await within(dialog).findByTestId('refusal')).textContent).toContain('host-b takes part in a move.')
    expect(requests.map(({ method, url }) => [method, new URL(url).pathname])).toEqual([['DELETE', '/api/v1/hosts/2']])
  })

  it('takes an answer without a body for done', async () => {
    answers.refuse = () => new Response(null, { status: 204 })
    show()
    await fireEvent.click(within(column('host-b')).getByTestId('host-menu'))
    await fireEvent.click(within(column('host-b')).getByTestId('remove-host'))
    await fireEvent.click(await screen.findByTestId('remove-host-confirm'))
    await waitFor(() => expect(screen.queryByTestId('remove-host-dialog')).toBeNull())
  })
})

describe('the menu of a host', () => {
  const focused = () => document.activeElement?.textContent?.trim()

  it('is walked with the arrow keys, and Escape gives the focus back', async () => {
    show()
    const button = within(column('host-b')).getByTestId('host-menu')
    await fireEvent.keyDown(button, { key: 'ArrowDown' })
    const menu = await within(column('host-b')).findByRole('menu')
    await waitFor(() => expect(focused()).toBe('Maintenance…'))
    await fireEvent.keyDown(menu, { key: 'ArrowDown' })
    expect(focused()).toBe('Remove host-b…')
    await fireEvent.keyDown(menu, { key: 'ArrowDown' })
    expect(focused()).toBe('Maintenance…')
    await fireEvent.keyDown(menu, { key: 'Escape' })
    expect(within(column('host-b')).queryByRole('menu')).toBeNull()
    expect(document.activeElement).toBe(button)
  })

  it('leads to the plan, or to the maintenance that is under way', async () => {
    show(aBoard({ hosts: [aHost(1, 'host-a', { maintenance: 'CARE0001' }), aHost(2, 'host-b')] }))
    await fireEvent.click(within(column('host-a')).getByTestId('host-menu'))
    expect(within(column('host-a')).getByRole('menuitem', { name: 'See its maintenance' }).getAttribute('href')).toBe('/maintenances/CARE0001')
    await fireEvent.click(within(column('host-b')).getByTestId('host-menu'))
    expect(within(column('host-b')).getByRole('menuitem', { name: 'Maintenance…' }).getAttribute('href')).toBe('/hosts/2/maintenance')
  })
})

describe('a host that takes no VMs', () => {
  it('says whether it is in maintenance, or disabled by another hand', () => {
    show(aBoard({ hosts: [aHost(1, 'host-a', { maintenance: 'CARE0001', takes_vms: false }), aHost(2, 'host-b', { takes_vms: false })] }))
    expect(column('host-a').textContent).toContain('In maintenance')
    expect(column('host-a').textContent).not.toContain('Disabled in its pool')
    expect(column('host-b').textContent).toContain('Disabled in its pool')
  })
})
