// A listener of a Sparkplug group on Eclipse's payload library, driven by lines of JSON on stdin.
// node sparkplug-host.js PORT GROUP ; prints one line of JSON for every message of the group.
"use strict";
const mqtt = require("mqtt"); // both come with sparkplug-client
const { decodePayload, encodePayload } = require("sparkplug-payload").get("spBv1.0");
const [port, group] = process.argv.slice(2);

const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId: "foreign-host" });
const plain = (_, v) => (v && v.low !== undefined ? v.low : v); // Long to number
const say = (line) => console.log(JSON.stringify(line, plain));

client.on("connect", () =>
  client.subscribe(`spBv1.0/${group}/#`, () => say({ what: "connected" })),
);
client.on("message", (topic, bytes, packet) => {
  const [, , kind, node, device] = topic.split("/");
  try {
    say({ what: kind, node, device, retain: packet.retain, payload: decodePayload(bytes) });
  } catch (error) {
    say({ what: "malformed", kind, error: String(error) });
  }
});

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { do: name, kind, node, device, metrics, text } = JSON.parse(line);
    if (name === "command") {
      const topic = ["spBv1.0", group, kind, node, device].filter(Boolean).join("/");
      client.publish(topic, encodePayload({ timestamp: Date.now(), metrics }));
    } else if (name === "state") {
      client.publish(`spBv1.0/STATE/foreign`, text, { qos: 1, retain: true });
    }
    say({ what: "did", name });
  })
  .on("close", () => process.exit(0));
