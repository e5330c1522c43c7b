// The journal: who did what, why and when, in a chain of hashes that can be verified.

import { Journal } from "./entries.js";

export default () => [new Journal()];
