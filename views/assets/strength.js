/*
 * Says in words how soon a password would be guessed, beside its field and never in its way: what is taken is decided by the
 * server. The words come with the page; above this stand zxcvbn (`scope`), its keyboards (`graphs`) and `lists`.
 */

const patienceMs = 300
const longest = 100

function unpack(list) {
  const words = []
  let last = ''
  for (const [, kept, rest] of list.matchAll(/([A-Z])([^A-Z]*)/g)) {
    last = last.slice(0, kept.charCodeAt(0) - 65) + rest
    words.push(last)
  }
  return words
}

const judge = new scope.zxcvbnts.core.ZxcvbnFactory({
  graphs,
  dictionary: Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, unpack(list)])),
  maxLength: longest,
})

/** What zxcvbn warns of → which of the page's hints says it. */
const hints = {
  userInputs: 'own',
  topTen: 'common',
  topHundred: 'common',
  common: 'common',
  similarToCommon: 'common',
  wordByItself: 'word',
  namesByThemselves: 'word',
  commonNames: 'word',
  straightRow: 'pattern',
  keyPattern: 'pattern',
  sequences: 'pattern',
  simpleRepeat: 'pattern',
  extendedRepeat: 'pattern',
  dates: 'date',
  recentYears: 'date',
}

/** What everybody knows of the person: the other fields of the form, and their parts. */
function ownWords(field) {
  const fields = [...field.form.elements].filter(
    ({ name, type }) => name !== '' && name !== 'csrf' && ['text', 'email'].includes(type),
  )
  const texts = [field.dataset.own ?? '', ...fields.map(({ value }) => value)]
  return texts
    .flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)])
    .filter((text) => text !== '')
}

/** What is half made of such words the server refuses, however long it is. */
function weigh(password, own) {
  let rest = password.toLowerCase()
  for (const word of own.filter(({ length }) => length >= 4)) {
    rest = rest.replaceAll(word.toLowerCase(), '')
  }
  if (rest.length * 2 <= password.length) return { score: 0, hint: 'own' }
  const { score, feedback } = judge.check(password, own)
  return { score, hint: hints[feedback.warning] }
}

/** From here on what is typed into the field is judged; `line` is its live region. */
export function watch(field) {
  const line = document.getElementById(`${field.id}-strength`)
  const phrases = JSON.parse(line.dataset.phrases)
  let timer

  function say() {
    const { value } = field
    const { score, hint } = value === '' ? {} : weigh(value, ownWords(field))
    const words = phrases.scores[score]
    const text = [words, phrases.hints[hint]].filter(Boolean).join(' ')
    line.dataset.score = score ?? ''
    // The same words are not read out again.
    if (line.textContent !== text) line.textContent = text
  }

  function later() {
    clearTimeout(timer)
    timer = setTimeout(say, patienceMs)
  }

  field.form.addEventListener('input', later)
  later()
}
