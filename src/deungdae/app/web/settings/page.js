// Settings: the factory's files, what changed in them, users, language and brightness, backup, version.

import { About } from "./about.js";
import { Backup } from "./backup.js";
import { Changes } from "./changes.js";
import { Editor } from "./editor.js";
import { Looks } from "./looks.js";
import { Users } from "./users.js";

export default () => [new Editor(), new Changes(), new Users(), new Looks(), new Backup(), new About()];
