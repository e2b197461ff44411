// Starts the MCP project's example server on a free port of loopback, and says which.
import http from "node:http";

const say = console.log;
console.log = () => {};
console.error = () => {};
const listen = http.Server.prototype.listen;
http.Server.prototype.listen = function (_port, ...rest) {
  this.once("listening", () => say(JSON.stringify({ port: this.address().port })));
  return listen.call(this, 0, "127.0.0.1", ...rest);
};
await import("@modelcontextprotocol/server-everything/dist/transports/streamableHttp.js");
