/** Runs the protocol's own validation and puts its answer into our words. */
import type { ClientMetadata, EngineCheck, Problem } from './metadata.ts'
import { usesSecret } from './metadata.ts'

export async function runEngineCheck(
  check: EngineCheck | undefined,
  clientId: string,
  metadata: ClientMetadata,
): Promise<Problem[]> {
  // Stands where a secret will be: whether there is one is a rule, which one is not.
  const secret = usesSecret(metadata) ? { client_secret: 'x'.repeat(43) } : {}
  try {
    // Types come and go with their APIs, of which the engine that judges knows nothing.
    const { authorization_details_types: _, ...rest } = metadata
    await check?.({ ...rest, client_id: clientId, ...secret })
    return []
  } catch (error) {
    const { error_description: description } = error as { error_description?: string }
    // Anything else is a fault of ours, not of the metadata.
    if (description === undefined) throw error
    const [field = ''] = description.split(' ')
    const known = field in metadata
    return [
      {
        field: known ? field : 'metadata',
        code: 'metadata_refused',
        message: known ? description.slice(field.length + 1) : `is refused: ${description}`,
        fix: 'The protocol does not allow it.',
      },
    ]
  }
}
