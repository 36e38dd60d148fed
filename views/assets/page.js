/*
 * What a script adds to pages that work without it: showing the password, counting down to the next
 * mail, going on when the mailed link was opened or every app was told, copying a reference, judging
 * a new password, and sending a form once however often its button is pressed.
 */

/** Puts a template's content where the template stands, and returns its button. */
function unfold(template) {
  const content = template.content.cloneNode(true)
  const button = content.querySelector('button')
  template.replaceWith(content)
  return button
}

function reveal(button) {
  const field = document.getElementById(button.getAttribute('aria-controls'))

  function show(visible) {
    if ((field.type === 'text') === visible) return
    field.type = visible ? 'text' : 'password'
    button.classList.toggle('shown', visible)
    const label = button.getAttribute('aria-label')
    button.setAttribute('aria-label', button.dataset.other)
    button.dataset.other = label
  }

  button.addEventListener('click', () => show(field.type === 'password'))
  // Browsers remember what was typed into text fields, so it leaves as a password.
  field.form.addEventListener('submit', () => show(false))
}

function copy(button) {
  const status = button.nextElementSibling
  button.addEventListener('click', async () => {
    const text = document.getElementById(button.dataset.from).textContent
    await navigator.clipboard.writeText(text.trim())
    const label = button.textContent
    button.textContent = button.dataset.done
    status.textContent = button.dataset.done
    setTimeout(() => {
      button.textContent = label
      status.textContent = ''
    }, 2000)
  })
}

/** The clock runs silently; only its end is announced. */
function countDown(line) {
  const button = line.querySelector('button')
  const rest = line.querySelector('span')
  const end = Date.now() + Number(line.dataset.countdown) * 1000
  const status = document.createElement('span')
  status.className = 'unseen'
  status.setAttribute('role', 'status')
  line.append(status)
  button.disabled = true

  function tick() {
    const seconds = Math.ceil((end - Date.now()) / 1000)
    if (seconds > 0) {
      const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
      rest.textContent = line.dataset.phrase.replace('%', clock)
      return
    }
    clearInterval(timer)
    rest.remove()
    button.disabled = false
    status.textContent = line.dataset.ready
  }

  const timer = setInterval(tick, 1000)
  tick()
}

/** The mailed link may be opened in another tab or on a phone: then this page goes on by itself. */
function goOnWhenProven(field) {
  const patience = Date.now() + 15 * 60_000

  async function look() {
    // Whoever types the code is not to be interrupted.
    if (document.hidden || field.value !== '') return
    const answer = await fetch(location.href, { method: 'HEAD', redirect: 'manual' }).catch(
      () => {},
    )
    if (answer?.type === 'opaqueredirect' && field.value === '') location.replace(location.href)
    if (Date.now() > patience) clearInterval(timer)
  }

  const timer = setInterval(look, 5000)
  document.addEventListener('visibilitychange', look)
}

/** Once the frames have told their apps, the way leads on to where it was to lead at once. */
function goOnWhenTold(link) {
  const go = () => location.replace(link.href)
  addEventListener('load', go)
  // An app that hangs keeps nobody.
  setTimeout(go, 5000)
}

/** A second press while the first is on its way does nothing. */
function sendOnce(form) {
  form.addEventListener('submit', (event) => {
    if (form.ariaBusy === 'true') {
      event.preventDefault()
      return
    }
    form.ariaBusy = 'true'
    event.submitter?.classList.add('pressed')
    // Whoever stopped the page or lost the network may press again.
    setTimeout(() => rest(form), 10_000)
  })
}

function rest(form) {
  form.ariaBusy = null
  for (const button of form.querySelectorAll('.pressed')) button.classList.remove('pressed')
}

/** The judge is large, so it comes when somebody begins to type. Without it the server's rules stand alone. */
function judgeWhenTyped(field) {
  const begin = () =>
    import(field.dataset.strength).then(
      ({ watch }) => watch(field),
      () => {},
    )
  field.addEventListener('input', begin, { once: true })
}

for (const field of document.querySelectorAll('[data-strength]')) judgeWhenTyped(field)
for (const template of document.querySelectorAll('template[data-reveal]')) reveal(unfold(template))
for (const line of document.querySelectorAll('[data-countdown]')) countDown(line)
for (const field of document.querySelectorAll('[data-watched]')) goOnWhenProven(field)
for (const link of document.querySelectorAll('[data-onward]')) goOnWhenTold(link)
for (const form of document.forms) sendOnce(form)
if (navigator.clipboard) {
  for (const template of document.querySelectorAll('template[data-copy]')) copy(unfold(template))
}
// Back from the browser's memory: the form may be sent again.
addEventListener('pageshow', () => {
  for (const form of document.forms) rest(form)
})
