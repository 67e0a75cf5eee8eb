/**
 * Where a log-in leads back to: a path of this server, nothing else.
 * @param {string | null} wanted
 * @param {string} origin of the page
 */
export function safeNext(wanted, origin) {
  if (!wanted?.startsWith('/') || wanted.startsWith('//') || wanted.includes('\\')) return '/app/';
  const url = new URL(wanted, origin);
  return url.origin === origin ? url.pathname + url.search : '/app/';
}
