/** An address as a QR code: one path of black squares on a square of `size` units, its quiet border included. */
import { encode } from 'uqr'

export type Qr = { size: number; path: string }

export function qrOf(address: string): Qr {
  const { size, data } = encode(address, { ecc: 'M', border: 4 })
  const squares = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : '')))
  return { size, path: squares.join('') }
}
