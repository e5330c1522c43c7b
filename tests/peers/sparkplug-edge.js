// An edge node on Eclipse's Sparkplug client, driven by lines of JSON on stdin, for field tests.
// node sparkplug-edge.js PORT GROUP EDGE ; prints one line of JSON for everything that happens.
"use strict";
const sparkplug = require("sparkplug-client");
const [port, groupId, edgeNode] = process.argv.slice(2);

const client = sparkplug.newClient({
  serverUrl: `tcp://127.0.0.1:${port}`,
  username: "",
  password: "",
  groupId,
  edgeNode,
  clientId: `edge-${edgeNode}`,
  version: "spBv1.0",
  publishDeath: true,
});
const say = (what, more) =>
  console.log(
    JSON.stringify({ what, ...more }, (_, v) => (v && v.low !== undefined ? v.low : v)),
  );

let births = null; // {node: [metrics], devices: {name: [metrics]}}
const stamped = (metrics) => ({ timestamp: Date.now(), metrics: metrics.map((m) => ({ ...m })) });

function birth() {
  if (!births) return;
  client.publishNodeBirth(stamped(births.node));
  for (const [device, metrics] of Object.entries(births.devices || {}))
    client.publishDeviceBirth(device, stamped(metrics));
  say("born");
}

client.on("connect", () => say("connected"));
client.on("birth", birth);
client.on("ncmd", (payload) => {
  say("ncmd", { metrics: payload.metrics });
  for (const metric of payload.metrics)
    if (metric.name === "Node Control/Rebirth" && metric.value) birth();
});
client.on("dcmd", (device, payload) => say("dcmd", { device, metrics: payload.metrics }));

const commands = {
  births: (given) => {
    births = given;
    birth();
  },
  ndata: ({ metrics, options }) => client.publishNodeData(stamped(metrics), options),
  ddata: ({ device, metrics }) => client.publishDeviceData(device, stamped(metrics)),
  ddeath: ({ device }) => client.publishDeviceDeath(device, { timestamp: Date.now() }),
  skip: () => client.incrementSeqNum(), // as if a message had been lost on the way
  stop: () => client.stop(), // an intended end: NDEATH, then disconnect
};

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { do: name, ...given } = JSON.parse(line);
    commands[name](given);
    say("did", { name });
  })
  .on("close", () => process.exit(0));
