/**
 * How long a decision for another service takes of our own work, what is held being remembered: `node
 * test/benchmark/evaluation.ts`. Twenty roles of ten permissions each, half of them under conditions; the answer is a no,
 * for which all of them are looked at. The tests (test/api/access.test.ts) look
 * at the time of the processor alone, which a busy machine does not lengthen much.
 */
import { type Holdings, isAllowed } from '../../src/roles/decide.ts'
import { parsePermission } from '../../src/roles/permission.ts'

const conditions = ['', ' if acr=2fa', '', ' if hours=mon-fri/09:00-17:00/Europe/Berlin']
const held = Array.from({ length: 200 }, (_, index) => {
  const permission = parsePermission(`read:notes:${index}${conditions[index % 4]}`)
  if (!permission) throw new Error('no permission')
  return { role: `role${index % 20}`, permission }
})
const wide = parsePermission('read:notes if hours=mon-fri/09:00-17:00/Europe/Berlin and acr=phr')
if (!wide) throw new Error('no permission')
const holdings: Holdings = {
  names: ['ada'],
  held: [...held, ...Array.from({ length: 20 }, () => ({ role: 'wide', permission: wide }))],
}
const question = {
  action: 'read',
  resource: { type: 'notes', id: 'none' },
  context: { time: new Date(), acr: '2fa', address: '192.0.2.1' },
}

const times: number[] = []
for (let round = 0; round < 20_000; round++) {
  const begun = process.hrtime.bigint()
  if (isAllowed(holdings, question)) throw new Error('allowed')
  times.push(Number(process.hrtime.bigint() - begun) / 1e6)
}
const [p50 = 0, p99 = 0] = [0.5, 0.99].map(
  (share) => times.toSorted((a, b) => a - b)[Math.floor(times.length * share)],
)
process.stdout.write(`p50 ${p50.toFixed(4)} ms, p99 ${p99.toFixed(4)} ms (to stay under 1 ms)\n`)
