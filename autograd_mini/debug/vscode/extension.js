// Starts `python -m autograd_mini dap` with the interpreter that the user has chosen; everything else happens there.
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
  context.subscriptions.push(
    vscode.debug.registerDebugConfigurationProvider(TYPE, provider),
    vscode.debug.registerDebugConfigurationProvider(TYPE, provider, vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, factory),
  );
};
