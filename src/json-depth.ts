/** How deep JSON from outside is nested, before anything reads it: parsers and schemas go as deep as they are sent (DS-04). */
export function jsonDepth(json: string): number {
  let depth = 0
  let most = 0
  let quoted = false
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (quoted) {
      if (character === '\\') at++
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === '{' || character === '[') most = Math.max(most, ++depth)
    else if (character === '}' || character === ']') depth--
  }
  return most
}
