/*
 * What a script has to do for passkeys: the ceremonies of WebAuthn, between a form and the server's options. Pages work
 * without it by other ways; its buttons stand in templates, so that nobody sees one that does nothing.
 */

const known = 'PublicKeyCredential' in window
const renewMs = 4.5 * 60_000

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
    letter.charCodeAt(0),
  )

function toText(buffer) {
  const letters = String.fromCharCode(...new Uint8Array(buffer))
  return btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** As parseCreationOptionsFromJSON and parseRequestOptionsFromJSON, which older browsers lack. */
function readOptions(json) {
  const bytes = (list = []) => list.map((item) => ({ ...item, id: toBytes(item.id) }))
  const options = { ...json, challenge: toBytes(json.challenge) }
  if (json.user) options.user = { ...json.user, id: toBytes(json.user.id) }
  if (json.excludeCredentials) options.excludeCredentials = bytes(json.excludeCredentials)
  if (json.allowCredentials) options.allowCredentials = bytes(json.allowCredentials)
  return options
}

/** As toJSON, which older browsers and some password managers lack. */
function writeAnswer({ id, rawId, type, authenticatorAttachment, response }) {
  const names = [
    'clientDataJSON',
    'attestationObject',
    'authenticatorData',
    'signature',
    'userHandle',
  ]
  const parts = names.filter((name) => response[name]).map((name) => [name, toText(response[name])])
  const transports = response.getTransports ? { transports: response.getTransports() } : {}
  return JSON.stringify({
    id,
    rawId: toText(rawId),
    type,
    authenticatorAttachment: authenticatorAttachment ?? undefined,
    clientExtensionResults: {},
    response: { ...Object.fromEntries(parts), ...transports },
  })
}

async function askServer(form) {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value })
  const answer = await fetch(form.dataset.options, { method: 'POST', body, redirect: 'error' })
  if (!answer.ok) throw new Error(`options: ${answer.status}`)
  return readOptions(await answer.json())
}

/** The ceremony that a form is for; the answer goes to the server as a form's field. */
async function perform(form, more = {}) {
  const publicKey = await askServer(form)
  const ask = form.dataset.passkey === 'create' ? 'create' : 'get'
  const credential = await navigator.credentials[ask]({ publicKey, ...more })
  form.elements.answer.value = writeAnswer(credential)
  HTMLFormElement.prototype.submit.call(form)
}

function say(form, error) {
  const words = { NotAllowedError: 'stopped', AbortError: 'stopped', InvalidStateError: 'exists' }
  const line = form.querySelector('[data-words]')
  line.textContent = line.dataset[words[error.name] ?? 'failed'] ?? line.dataset.failed
  line.hidden = false
}

let waiting

/** Passkeys among what the browser fills in. Renewed before the challenge is too old. */
async function offerAutofill(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return
  waiting?.abort()
  const controller = new AbortController()
  waiting = controller
  const timer = setTimeout(() => offerAutofill(form).catch(() => {}), renewMs)
  try {
    await perform(form, { mediation: 'conditional', signal: controller.signal })
  } catch (error) {
    // Nobody has pressed anything, so nobody is told.
    if (error.name !== 'AbortError') clearTimeout(timer)
  }
}

function prepare(form) {
  if (!known) return
  for (const without of form.querySelectorAll('[data-without-passkeys]')) without.remove()
  form.addEventListener('submit', async (event) => {
    // Other buttons of the form go their own way.
    if (event.submitter?.dataset.ceremony === undefined) return
    event.preventDefault()
    waiting?.abort()
    try {
      await perform(form)
    } catch (error) {
      form.ariaBusy = null
      event.submitter.classList.remove('pressed')
      say(form, error)
    }
  })
  if (form.dataset.passkey === 'get') offerAutofill(form).catch(() => {})
}

/** Tells whoever keeps the passkeys what became of them (Signal API), where the browser can. */
function signal({ unknown, current }) {
  const say = (name, data) => PublicKeyCredential[name]?.(data)?.catch?.(() => {})
  if (unknown) say('signalUnknownCredential', unknown)
  if (!current) return
  const { rpId, userId, name, displayName, allAcceptedCredentialIds } = current
  say('signalAllAcceptedCredentials', { rpId, userId, allAcceptedCredentialIds })
  say('signalCurrentUserDetails', { rpId, userId, name, displayName })
}

if (known) {
  for (const template of document.querySelectorAll('template[data-with-passkeys]'))
    template.replaceWith(template.content.cloneNode(true))
}
for (const form of document.querySelectorAll('form[data-passkey]')) prepare(form)
/** A device that can make passkeys by itself says so with the password, and is offered one afterwards. */
async function tellAbility(field) {
  const able = await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable?.()
  if (able) field.value = 'yes'
}
if (known) {
  for (const place of document.querySelectorAll('[data-signal]'))
    signal(JSON.parse(place.dataset.signal))
  for (const field of document.querySelectorAll('[data-passkey-ability]'))
    tellAbility(field).catch(() => {})
}
