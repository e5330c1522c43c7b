// A node-opcua server with a variable of every kind.
// Usage: node opcua-server.js PORT FOLDER [MANY]; MANY more variables (s=N0 …) change twice a second.
// Endpoints: no security, and Aes256Sha256RsaPss / Basic256Sha256 signed or encrypted.
// Users: anonymous, and kim / 등대-pass. FOLDER/pki holds certificates; clients must be trusted.
"use strict";
const path = require("path");
const {
  OPCUAServer, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode, DataType, StatusCodes,
  DataValue, VariantArrayType, standardUnits, coerceLocalizedText,
} = require("node-opcua");

const [port, folder, many] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4] || 0)];

const NUMBERS = {
  Boolean: true, SByte: -7, Byte: 7, Int16: -300, UInt16: 300, Int32: -70000, UInt32: 70000,
  Int64: [0, 5], UInt64: [0, 6], Float: 1.5, Double: 2.25,
};

function addVariables(server) {
  const space = server.engine.addressSpace.getOwnNamespace();
  const plant = space.addObject({ organizedBy: "ObjectsFolder", browseName: "Plant" });
  const add = (name, dataType, value, more = {}) => space.addVariable({
    componentOf: plant, browseName: name, nodeId: `s=${name}`, dataType,
    value: { dataType, arrayType: VariantArrayType.Scalar, value }, ...more,
  });
  for (const [type, value] of Object.entries(NUMBERS)) add(type, DataType[type], value);
  add("Text", DataType.String, "idle");
  add("Moment", DataType.DateTime, new Date("2026-01-02T03:04:05Z"));
  add("Title", DataType.LocalizedText, coerceLocalizedText("등대"));
  add("Array", DataType.Double, [1, 2, 3], {
    value: { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: [1, 2, 3] },
  });
  add("NotANumber", DataType.Double, NaN);
  add("Infinite", DataType.Double, Infinity);
  add("Fixed", DataType.Double, 8, { accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" });
  const broken = add("Broken", DataType.Double, 0);
  broken.bindVariable({
    timestamped_get: () => new DataValue({ statusCode: StatusCodes.BadSensorFailure }),
  }, true);
  const mode = space.addEnumerationType({
    browseName: "ModeType", enumeration: ["Stopped", "Running", "Faulted"],
  });
  space.addVariable({
    componentOf: plant, browseName: "Mode", nodeId: "s=Mode", dataType: mode,
    value: { dataType: DataType.Int32, value: 1 },
  });
  const analog = space.addAnalogDataItem({
    componentOf: plant, browseName: "Temperature", nodeId: "s=Temperature", dataType: "Double",
    description: "Zone 3", engineeringUnitsRange: { low: 0, high: 1500 },
    engineeringUnits: standardUnits.degree_celsius, value: { dataType: "Double", value: 20.5 },
  });
  server.engine.addressSpace.installHistoricalDataNode(analog, { maxOnlineValues: 1000 });
  let ticks = 0;
  const counter = add("Counter", DataType.UInt32, 0);
  setInterval(() => {
    ticks += 1;
    counter.setValueFromSource({ dataType: DataType.UInt32, value: ticks });
  }, 100);
}

function addMany(server) {
  const space = server.engine.addressSpace.getOwnNamespace();
  const folder = space.addFolder("ObjectsFolder", { browseName: "Many" });
  const variables = [];
  for (let i = 0; i < many; i++) {
    variables.push(space.addVariable({
      organizedBy: folder, browseName: `N${i}`, nodeId: `s=N${i}`, dataType: DataType.Double,
      value: { dataType: DataType.Double, value: i }, minimumSamplingInterval: 0,
    }));
  }
  let round = 0;
  setInterval(() => {
    round += 1;
    variables.forEach((variable, i) => variable.setValueFromSource(
      { dataType: DataType.Double, value: i + round },
    ));
  }, 500);
}

async function main() {
  const server = new OPCUAServer({
    port, resourcePath: "/UA/Peer", hostname: "127.0.0.1",
    buildInfo: { productName: "peer" },
    serverInfo: { applicationUri: "urn:deungdae:peer" },
    serverCertificateManager: new OPCUACertificateManager({
      rootFolder: path.join(folder, "pki"), automaticallyAcceptUnknownCertificate: false,
    }),
    securityPolicies: [
      SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep,
      SecurityPolicy.Aes256_Sha256_RsaPss,
    ],
    securityModes: [
      MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt,
    ],
    userCertificateManager: new OPCUACertificateManager({
      rootFolder: path.join(folder, "users"), automaticallyAcceptUnknownCertificate: false,
    }),
    userManager: { isValidUser: (user, password) => user === "kim" && password === "등대-pass" },
    serverCapabilities: { minSupportedSampleRate: 10 },
    maxConnectionsPerEndpoint: 20,
  });
  await server.initialize();
  addVariables(server);
  addMany(server);
  await server.start();
}

main();
