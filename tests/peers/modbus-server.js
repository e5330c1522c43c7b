// A jsmodbus server on 127.0.0.1:<port>: float32 21.5 in holding 0-1, input n holds n, coil 3 is on.
const net = require("net");
const modbus = require("jsmodbus");

const holding = Buffer.alloc(400);
holding.writeFloatBE(21.5, 0);
const input = Buffer.alloc(400);
for (let n = 0; n < 200; n++) input.writeUInt16BE(n, 2 * n);
const coils = Buffer.alloc(2);
coils.writeUInt8(0b1000, 0);
const discrete = Buffer.alloc(2);

const server = new net.Server();
new modbus.server.TCP(server, { holding, input, coils, discrete });
server.listen(Number(process.argv[2]), "127.0.0.1");
