// Loads the VS Code extension in FOLDER as VS Code does, and prints how it would start the adapter, or its complaint;
// with {"resolve": …} among the answers, what becomes of that configuration:
//   node host.js FOLDER ANSWERS
// with {"script": […]}, what it does while that happens: a session starts and stops, the debugger stops, the reader goes
// to a step in the page, closes the panel, asks for it, changes the theme.
// ANSWERS is what the rest of VS Code says, as JSON: {"setting": …, "chosen": …, "configuration": {…}}; "chosen" is the
// interpreter of the Python extension, null if it knows none; without it, that extension is missing.
const Module = require("node:module");

const [folder, answers] = [process.argv[2], JSON.parse(process.argv[3])];
const [factories, providers] = [[], []];
const python = {
  activate: async () => {},
  exports: { settings: { getExecutionDetails: () => ({ execCommand: answers.chosen ?? undefined }) } },
};
const done = []; // in a script
const [trackers, commands, themes, memory] = [[], {}, [], {}];
let [stops, panel] = [0, undefined];
const session = {
  type: "autograd-mini",
  async customRequest(command, { known, dark, targetId }) {
    done.push(command === "page" ? `page known=${known} dark=${dark}` : `${command} ${targetId}`);
    return { page: 1, step: stops, ...(known !== 1 && { html: "page 1" }) };
  },
};
const switched = (name) => (done.push(`${name} on`), { dispose: () => done.push(`${name} off`) });
class Panel {
  constructor() {
    done.push("panel opened");
    const told = [];
    this.webview = {
      set html(text) { done.push(`html ${text}`); },
      postMessage: (step) => done.push(`post ${step}`),
      onDidReceiveMessage: (tell) => told.push(tell),
    };
    this.receive = (step) => told.forEach((tell) => tell(step));
    this.onDidDispose = (tell) => (this.disposed = tell);
    panel = this;
  }
  dispose() {
    done.push("panel closed");
    this.disposed();
  }
}
const vscode = {
  ColorThemeKind: { Light: 1, Dark: 2, HighContrast: 3 },
  ViewColumn: {},
  window: {
    activeColorTheme: { kind: 2 },
    createWebviewPanel: () => new Panel(),
    onDidChangeActiveColorTheme: (tell) => themes.push(tell),
  },
  languages: { registerInlineValuesProvider: () => switched("inline values") },
  commands: { registerCommand: (name, run) => (commands[name] = run) },
  workspace: { getConfiguration: () => ({ get: () => answers.setting }) },
  extensions: { getExtension: () => ("chosen" in answers ? python : undefined) },
  DebugAdapterExecutable: class {
    constructor(command, args, options) {
      Object.assign(this, { command, args, options });
    }
  },
  DebugConfigurationProviderTriggerKind: {},
  debug: {
    activeDebugSession: session,
    registerDebugAdapterTrackerFactory: (type, factory) => trackers.push(factory.createDebugAdapterTracker(session)),
    registerDebugConfigurationProvider: (type, provider) => providers.push(provider),
    registerDebugAdapterDescriptorFactory: (type, factory) => factories.push(factory),
  },
};
const load = Module._load;
Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));
const manifest = require(`${folder}/package.json`);
require(`${folder}/${manifest.main}`).activate({
  subscriptions: [], extension: { packageJSON: manifest },
  globalState: { get: (name, usual) => memory[name] ?? usual, update: (name, value) => (memory[name] = value) },
});
const happens = {
  start: () => trackers[0].onWillStartSession(),
  stop: () => trackers[0].onWillStopSession(),
  stopped: () => ((stops += 1), trackers[0].onDidSendMessage({ type: "event", event: "stopped" })),
  page: (step) => panel.receive(step),
  dispose: () => panel.dispose(),
  command: () => commands["autograd-mini.graph"](),
  theme: () => ((vscode.window.activeColorTheme = { kind: 1 }), themes.forEach((tell) => tell())),
};
async function played(script) {
  for (const [name, ...rest] of script.map((step) => [].concat(step))) {
    happens[name](...rest);
    await new Promise(setImmediate);
  }
  return done;
}
const asked = answers.script ? played(answers.script) : answers.resolve
  ? Promise.resolve(providers[0].resolveDebugConfiguration(undefined, answers.resolve))
  : factories[0].createDebugAdapterDescriptor({ configuration: answers.configuration ?? {} });
asked.then(
  (answer) => console.log(JSON.stringify(answer)),
  (error) => console.log(JSON.stringify(error.message)),
);
