/** The guard in front of Express routes: `app.get('/notes', demand(guard, { scope: 'notes:read' }), …)`. */

export function demand(guard, needs) {
  return async function demanded(req, res, next) {
    try {
      const { claims, status, challenge } = await guard.check(req.headers.authorization, needs)
      if (claims) {
        req.token = claims
        return next()
      }
      res.statusCode = status
      res.setHeader('WWW-Authenticate', challenge)
      res.end()
    } catch (error) {
      next(error)
    }
  }
}
