// Loads the VS Code extension in FOLDER as VS Code does, and prints how it would start the adapter, or its complaint;
// with {"resolve": …} among the answers, what becomes of that configuration:
//   node host.js FOLDER ANSWERS
// ANSWERS is what the rest of VS Code says, as JSON: {"setting": …, "chosen": …, "configuration": {…}}; "chosen" is the
// interpreter of the Python extension, null if it knows none; without it, that extension is missing.
const Module = require("node:module");

const [folder, answers] = [process.argv[2], JSON.parse(process.argv[3])];
const [factories, providers] = [[], []];
const python = {
  activate: async () => {},
  exports: { settings: { getExecutionDetails: () => ({ execCommand: answers.chosen ?? undefined }) } },
};
const vscode = {
  workspace: { getConfiguration: () => ({ get: () => answers.setting }) },
  extensions: { getExtension: () => ("chosen" in answers ? python : undefined) },
  DebugAdapterExecutable: class {
    constructor(command, args, options) {
      Object.assign(this, { command, args, options });
    }
  },
  DebugConfigurationProviderTriggerKind: {},
  debug: {
    registerDebugConfigurationProvider: (type, provider) => providers.push(provider),
    registerDebugAdapterDescriptorFactory: (type, factory) => factories.push(factory),
  },
};
const load = Module._load;
Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));
const manifest = require(`${folder}/package.json`);
require(`${folder}/${manifest.main}`).activate({ subscriptions: [], extension: { packageJSON: manifest } });
const asked = answers.resolve
  ? Promise.resolve(providers[0].resolveDebugConfiguration(undefined, answers.resolve))
  : factories[0].createDebugAdapterDescriptor({ configuration: answers.configuration ?? {} });
asked.then(
  (answer) => console.log(JSON.stringify(answer)),
  (error) => console.log(JSON.stringify(error.message)),
);
