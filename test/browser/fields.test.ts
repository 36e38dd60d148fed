/** What password managers, phones and screen readers find in the fields: the contract's forms, as a browser sees them. */
import { expect, test } from 'vitest'
import { useBrowser } from '../support/browser.ts'
import type { Example } from '../views/examples.ts'
import { serveExamples } from './examples-server.ts'

const server = await serveExamples()
const browser = useBrowser()

type Field = { id: string; name: string; label: string; type: string; autocomplete: string }

async function fieldsOf(page: Example['page'], state: string) {
  const opened = await browser.open()
  await opened.goto(server.url(page, state))
  return opened.evaluate(() =>
    [...document.querySelectorAll<HTMLInputElement>('input:not([type=hidden])')].map((input) => ({
      id: input.id,
      name: input.name,
      label: input.labels?.[0]?.textContent?.trim() ?? '',
      type: input.type,
      autocomplete: input.autocomplete as string,
      inputMode: input.inputMode,
      spellcheck: input.spellcheck,
      autocapitalize: input.autocapitalize,
      maxLength: input.maxLength,
      form: { method: input.form?.method, buttons: input.form?.querySelector('button')?.id },
      invalid: input.getAttribute('aria-invalid') === 'true',
      describedBy: (input.getAttribute('aria-describedby') ?? '')
        .split(' ')
        .filter((id) => id !== '')
        .map((id) => [id, document.getElementById(id)?.textContent?.trim()]),
    })),
  )
}

const forms: { page: Example['page']; state: string; fields: Field[] }[] = [
  {
    page: 'sign-in',
    state: 'fresh',
    fields: [
      field('identifier', 'Username or email', 'text', 'username'),
      field('password', 'Password', 'password', 'current-password'),
    ],
  },
  {
    page: 'register',
    state: 'fresh',
    fields: [
      field('username', 'Username', 'text', 'username'),
      field('email', 'Email address', 'email', 'email'),
      field('password', 'Password', 'password', 'new-password'),
      field('name', 'Name optional', 'text', 'name'),
    ],
  },
  {
    page: 'verify-email',
    state: 'open',
    fields: [field('code', 'Code', 'text', 'one-time-code')],
  },
]

function field(id: string, label: string, type: string, autocomplete: string): Field {
  return { id, name: id, label, type, autocomplete }
}

test.each(forms)(
  '$page: ids equal names, labels are tied, managers know what goes where',
  async ({ page, state, fields }) => {
    const found = await fieldsOf(page, state)
    const form = { method: 'post', buttons: expect.any(String) }
    expect(found).toMatchObject(fields.map((each) => ({ ...each, form, invalid: false })))
    // A manager's or a phone's text must not be cut off or "corrected".
    for (const { id, maxLength, spellcheck, autocapitalize } of found) {
      expect(maxLength).toBe(-1)
      if (id !== 'name')
        expect({ spellcheck, autocapitalize }).toEqual({
          spellcheck: false,
          autocapitalize: 'none',
        })
    }
  },
)

test('the code brings up digits', async () => {
  expect(await fieldsOf('verify-email', 'open')).toMatchObject([
    { id: 'code', inputMode: 'numeric' },
  ])
})

test('a refused sign-in is tied to both fields and tells neither from the other', async () => {
  const text = 'That username or password is not right. Check both and try again.'
  const error = [['error', text]]
  expect(await fieldsOf('sign-in', 'refused')).toMatchObject([
    { id: 'identifier', invalid: true, describedBy: error },
    { id: 'password', invalid: true, describedBy: error },
  ])
})

test('a pause is nobody’s typing mistake', async () => {
  const found = await fieldsOf('sign-in', 'wait')
  expect(found.map(({ invalid }) => invalid)).toEqual([false, false])
})

test('each mistake in a registration is tied to its field', async () => {
  const wrong = (id: string, text: RegExp) => ({
    id,
    invalid: true,
    describedBy: [[`${id}-error`, expect.stringMatching(text)]],
  })
  expect(await fieldsOf('register', 'refused')).toMatchObject([
    wrong('username', /kept for the system/),
    wrong('email', /like name@example.com/),
    wrong('password', /at least 12 characters/),
    { id: 'name', invalid: false },
  ])
})

test('the only mistake is said once, at its field, where the focus begins', async () => {
  const [username, ...rest] = await fieldsOf('register', 'one mistake')
  const describedBy = [['error', expect.stringMatching(/How about mei_chen/)]]
  expect(username).toMatchObject({ invalid: true, describedBy })
  expect(rest.map(({ invalid }) => invalid)).toEqual([false, false, false])
})

test('a wrong code is tied to its field, before the hint', async () => {
  expect(await fieldsOf('verify-email', 'wrong')).toMatchObject([
    {
      invalid: true,
      describedBy: [
        ['error', expect.stringMatching(/not the code/)],
        ['spam', expect.stringMatching(/spam folder/)],
      ],
    },
  ])
})
