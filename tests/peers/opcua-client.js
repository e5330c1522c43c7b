// Subscribe with node-opcua and print {"notifications": n, "cpu_us": each} after some seconds.
// Usage: node opcua-client.js URL COUNT SECONDS; nodes ns=1;s=N0 …
"use strict";
const {
  OPCUAClient, ClientMonitoredItemGroup, TimestampsToReturn, AttributeIds,
} = require("node-opcua");

const [url, count, seconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

async function main() {
  const client = OPCUAClient.create({ endpointMustExist: false });
  await client.connect(url);
  const session = await client.createSession();
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 250, requestedMaxKeepAliveCount: 20,
    requestedLifetimeCount: 1000, maxNotificationsPerPublish: 0, publishingEnabled: true,
  });
  const nodes = Array.from({ length: count }, (_, i) => (
    { nodeId: `ns=1;s=N${i}`, attributeId: AttributeIds.Value }
  ));
  const group = ClientMonitoredItemGroup.create(
    subscription, nodes, { samplingInterval: 250, queueSize: 10 }, TimestampsToReturn.Both,
  );
  let seen = 0;
  group.on("changed", () => { seen += 1; });
  await new Promise((resolve) => { group.once("initialized", resolve); });
  await new Promise((resolve) => { setTimeout(resolve, 1000); });
  const [before, start] = [seen, process.cpuUsage()];
  await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
  const used = process.cpuUsage(start);
  const notifications = seen - before;
  const cpu = (used.user + used.system) / Math.max(notifications, 1);
  console.log(JSON.stringify({ notifications, cpu_us: cpu }));
  await session.close(true);
  await client.disconnect();
}

main();
