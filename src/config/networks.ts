/** How addresses are written in settings: networks, and hosts with their port. */
import { isIP } from 'node:net'

/** An address, or a CIDR range. */
export function isNetwork(text: string): boolean {
  const [address, bits, ...rest] = text.split('/')
  const family = isIP(address ?? '')
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

/** `host:port` or `[address]:port`, nothing else of a URL. */
export function isHostWithPort(text: string): boolean {
  const [, port] = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text) ?? []
  return port !== undefined && Number(port) > 0 && URL.canParse(`http://${text}`)
}
