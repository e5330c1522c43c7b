// Watch the alarms of an OPC UA server with node-opcua; print a line "> " and JSON for each change.
// Usage: node opcua-alarms.js URL ; a line on stdin acknowledges every alarm that waits for it.
"use strict";
const { OPCUAClient, installAlarmMonitoring } = require("node-opcua");

const say = (line) => console.log(`> ${JSON.stringify(line)}`); // the library prints lines of its own

async function main() {
  const client = OPCUAClient.create({ endpointMustExist: false });
  await client.connect(process.argv[2]);
  const session = await client.createSession();
  const alarms = await installAlarmMonitoring(session);
  const show = (what) => (alarm) => {
    const field = (name) => (alarm.fields[name] ? alarm.fields[name].value : undefined);
    say({
      what,
      id: alarm.conditionId.toString(),
      type: alarm.eventType.toString(),
      active: field("activeState").text === "Active",
      acknowledged: field("ackedState").text === "Acknowledged",
      retain: field("retain"),
      severity: field("severity"),
      message: field("message").text,
      source: field("sourceName"),
      comment: field("comment").text,
    });
  };
  alarms.on("newAlarm", show("new"));
  alarms.on("alarmChanged", show("changed"));
  say({ what: "ready" });
  require("readline").createInterface({ input: process.stdin }).on("line", async (text) => {
    for (const alarm of alarms.alarms())
      if (alarm.fields.ackedState.value.text !== "Acknowledged") {
        const status = await session.acknowledgeCondition(
          alarm.conditionId, alarm.eventId, text,
        );
        say({ what: "told", status: status.name });
      }
  }).on("close", () => process.exit(0));
}

main().catch((error) => { console.error(error); process.exit(1); });
