// Starts `python -m autograd_mini dap` with the interpreter that the user has chosen. Everything else is in there.
const { execFile } = require("node:child_process");
const { promisify } = require("node:util");
const vscode = require("vscode");

const TYPE = "autograd-mini";
const launch = { type: TYPE, request: "launch", name: "Step through backprop", program: "${file}" };

async function interpreter(folder) {
  const setting = vscode.workspace.getConfiguration(TYPE, folder).get("python");
  const python = vscode.extensions.getExtension("ms-python.python");
  if (setting || !python) return setting || (process.platform === "win32" ? "python" : "python3");
  await python.activate();
  return python.exports.settings.getExecutionDetails(folder).execCommand[0];
}

exports.activate = (context) => {
  const provider = {
    // F5 without a launch.json comes with an empty configuration
    resolveDebugConfiguration: (folder, config) => (config.type ? config : { ...launch, ...config }),
    provideDebugConfigurations: () => [launch],
  };
  const factory = {
    async createDebugAdapterDescriptor({ configuration, workspaceFolder }) {
      if (configuration.request === "attach") return new vscode.DebugAdapterServer(configuration.port, "127.0.0.1");
      const chosen = [].concat(configuration.python || (await interpreter(workspaceFolder?.uri)));
      const cwd = configuration.cwd || workspaceFolder?.uri.fsPath;
      await promisify(execFile)(chosen[0], [...chosen.slice(1), "-m", "autograd_mini", "--version"], { cwd }).catch(() => {
        throw new Error(`autograd-mini is not installed there: ${chosen.join(" ")}. Choose another interpreter, or install it.`);
      });
      return new vscode.DebugAdapterExecutable(chosen[0], [...chosen.slice(1), "-m", "autograd_mini", "dap"], { cwd });
    },
  };
  context.subscriptions.push(
    vscode.debug.registerDebugConfigurationProvider(TYPE, provider),
    vscode.debug.registerDebugConfigurationProvider(TYPE, provider, vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, factory),
  );
};
