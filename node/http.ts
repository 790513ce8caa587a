/**
 * HTTP/1.1 of Node, fetched and not imported: an import evaluates every one of its exports, and those take along the whole of `fetch` and HTTP/2, which
 * is a fifth of the time of a short command.
 */
export const http = process.getBuiltinModule("node:http");
