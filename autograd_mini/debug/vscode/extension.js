// Starts `python -m autograd_mini dap` with the interpreter that the user has chosen, and shows two things that VS Code
// has no request for: values at the ends of lines, and the graph in a panel. Everything else happens in Python.
const { execFile } = require("node:child_process");
const { existsSync } = require("node:fs");
const { homedir } = require("node:os");
const { promisify } = require("node:util");
const vscode = require("vscode");

const TYPE = "autograd-mini";
const launch = { type: TYPE, request: "launch", name: "Step through backprop", program: "${file}" };

const expanded = (path) => path?.replace(/^~(?=$|[/\\])/, () => homedir());

// The setting, else the choice in the Python extension, else the interpreter that installed this extension.
async function interpreter(folder, installer) {
  const setting = vscode.workspace.getConfiguration(TYPE, folder).get("python");
  if (setting) return setting;
  const python = vscode.extensions.getExtension("ms-python.python");
  await python?.activate();
  const chosen = python?.exports?.settings?.getExecutionDetails(folder).execCommand;
  return chosen || installer || (process.platform === "win32" ? "python" : "python3");
}

function complaint(command, error, configuration) {
  const what = error.code === "ENOENT" ? "There is no such interpreter" : "autograd-mini is not installed there";
  const where = configuration.python ? '"python" of the configuration' : `the setting ${TYPE}.python`;
  return new Error(`${what}: ${command.join(" ")}. Choose another in ${where}, or install again what is gone.`);
}

// The values that lines name, at their ends; only while there is a session of ours, because other debuggers have theirs.
const values = {
  async provideInlineValues(document, range) {
    const session = vscode.debug.activeDebugSession;
    if (session?.type !== TYPE) return [];
    const asked = session.customRequest("inlineValues", { source: { path: document.uri.fsPath } });
    const found = await asked.catch(() => ({ values: [] })); // the program runs
    return found.values
      .filter(({ line }) => line - 1 >= range.start.line && line - 1 <= range.end.line)
      .map(({ line, text }) => new vscode.InlineValueText(document.lineAt(line - 1).range, text));
  },
};

// The page of the graph: it follows the debugger, and where the reader goes in the page, the debugger follows.
class Graph {
  constructor(memento) { this.memento = memento; } // it knows whether the reader wants the panel

  async follow(session, asked = false) {
    if (asked) this.memento.update("graph", true);
    if (this.leads) return void (this.leads -= 1); // the page is there already
    if (!asked && !this.memento.get("graph", true)) return;
    [this.session, this.isLate] = [session, true];
    this.panel ??= this.opened();
    if (this.isAsking) return; // a page takes time, and the debugger may be somewhere else by then
    this.isAsking = true;
    while (this.isLate && this.panel) {
      this.isLate = false;
      await this.show();
    }
    this.isAsking = false;
  }

  async show() {
    const { ColorThemeKind: kinds } = vscode;
    const dark = [kinds.Dark, kinds.HighContrast].includes(vscode.window.activeColorTheme.kind);
    const known = this.dark === dark ? this.known : undefined;
    const answer = await this.session.customRequest("page", { known, dark }).catch(({ message }) => ({ why: message }));
    if (!this.panel) return; // closed meanwhile
    if (answer.why) this.panel.webview.html = answer.why.replace(/[<&]/g, (c) => `&#${c.charCodeAt(0)};`);
    if (answer.html) this.panel.webview.html = answer.html;
    [this.known, this.dark] = [answer.page, dark];
    if (answer.page) this.panel.webview.postMessage(answer.step);
  }

  opened() {
    const where = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const allowed = { enableScripts: true, retainContextWhenHidden: true, localResourceRoots: [] };
    const panel = vscode.window.createWebviewPanel(TYPE, "Backprop", where, allowed);
    this.leads = 0;
    panel.webview.onDidReceiveMessage(async (step) => {
      this.leads += 1;
      const asked = { threadId: 1, targetId: Number(step) };
      await this.session.customRequest("goto", asked).catch(() => (this.leads -= 1)); // the program runs
    });
    panel.onDidDispose(() => {
      if (this.panel !== panel) return; // its session has ended
      this.memento.update("graph", false);
      this.panel = this.known = undefined;
    });
    return panel;
  }

  close() {
    const { panel } = this;
    this.panel = this.known = undefined;
    panel?.dispose();
  }
}

exports.activate = (context) => {
  const provider = {
    resolveDebugConfiguration: (folder, config) => ({
      ...(config.type ? {} : launch), // F5 without a launch.json comes with an empty configuration
      ...(/Terminal$/.test(config.console) && { internalConsoleOptions: "neverOpen" }), // it would hide the terminal
      ...config,
    }),
    provideDebugConfigurations: () => [launch],
  };
  const factory = {
    async createDebugAdapterDescriptor({ configuration, workspaceFolder }) {
      if (configuration.request === "attach") return new vscode.DebugAdapterServer(configuration.port, "127.0.0.1");
      const installer = context.extension.packageJSON.interpreter;
      const command = [].concat(configuration.python || (await interpreter(workspaceFolder?.uri, installer)));
      const [python, ...options] = [expanded(command[0]), ...command.slice(1), "-m", "autograd_mini"];
      const cwd = [expanded(configuration.cwd), workspaceFolder?.uri.fsPath].find((path) => path && existsSync(path));
      await promisify(execFile)(python, [...options, "--version"], { cwd }).catch((error) => {
        throw complaint(command, error, configuration);
      });
      return new vscode.DebugAdapterExecutable(python, [...options, "dap"], { cwd });
    },
  };
  const graph = new Graph(context.globalState);
  let [sessions, inline] = [0, undefined];
  const tracker = {
    createDebugAdapterTracker: (session) => ({
      onWillStartSession() {
        sessions += 1;
        inline ??= vscode.languages.registerInlineValuesProvider({ language: "python" }, values);
      },
      onDidSendMessage({ type, event }) {
        if (type === "event" && ["stopped", "invalidated"].includes(event)) graph.follow(session);
      },
      onWillStopSession() {
        sessions -= 1;
        if (sessions) return;
        graph.close();
        inline = void inline?.dispose();
      },
    }),
  };
  const current = () => [vscode.debug.activeDebugSession].find((session) => session?.type === TYPE);
  context.subscriptions.push(
    vscode.debug.registerDebugAdapterTrackerFactory(TYPE, tracker),
    vscode.commands.registerCommand(`${TYPE}.graph`, () => current() && graph.follow(current(), true)),
    vscode.window.onDidChangeActiveColorTheme(() => graph.panel && current() && graph.follow(current())),
    vscode.debug.registerDebugConfigurationProvider(TYPE, provider),
    vscode.debug.registerDebugConfigurationProvider(TYPE, provider, vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, factory),
  );
};
