// Drives the adapter as VS Code does, with Microsoft's client, through one scenario:
//   node drive.js SCENARIO PYTHON PROGRAM RECORD [PORT TOKEN]
// All bytes in both directions go to RECORD.sent and RECORD.received. The exit status is 0 if all is as it should be.
const assert = require("node:assert");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const { once } = require("node:events");
const { DebugClient } = require("@vscode/debugadapter-testsupport");

const [scenario, python, program, record, port, token] = process.argv.slice(2);
const PATIENCE = 60000; // milliseconds

class Editor extends DebugClient {
  async begin() {
    this.defaultTimeout = PATIENCE;
    if (port) {
      this.socket = net.createConnection(+port, "127.0.0.1");
      await once(this.socket, "connect");
      [this.reader, this.writer] = [this.socket, this.socket];
    } else {
      this.adapter = spawn(python, ["-m", "autograd_mini", "dap"], { stdio: ["pipe", "pipe", "inherit"] });
      [this.reader, this.writer] = [this.adapter.stdout, this.adapter.stdin];
    }
    this.reader.on("data", (data) => fs.appendFileSync(`${record}.received`, data));
    this.connect(this.reader, {
      write: (text) => (fs.appendFileSync(`${record}.sent`, text), this.writer.write(text)),
    });
    this.output = "";
    this.breakpoints = {}; // by number, as far as events have told
    this.on("output", (event) => (this.output += event.body.output));
    this.on("breakpoint", (event) => (this.breakpoints[event.body.breakpoint.id] = event.body.breakpoint));
  }
  /** Launch the program; configure is called when the adapter is ready for breakpoints. Returns the first stop. */
  async run(configuration = {}, configure = async () => {}, command = "launch") {
    this.capabilities = (await this.initializeRequest({
      adapterID: "autograd-mini", linesStartAt1: true, columnsStartAt1: true, pathFormat: "path",
      supportsVariableType: true, supportsInvalidatedEvent: true,
    })).body;
    const initialized = this.waitForEvent("initialized");
    const stopped = this.waitForEvent("stopped");
    await this.send(command, { program, ...configuration });
    await initialized;
    await configure();
    await this.configurationDoneRequest();
    return (await stopped).body;
  }
  /** Send a request after which the program stops, and return that stop. */
  async go(command, args = {}) {
    const stopped = this.waitForEvent("stopped");
    await this.send(command, { threadId: 1, ...args });
    return (await stopped).body;
  }
  /** From the seed into the scope, and out of it, to the node that it was given: out = x * w + b. */
  async goToOut() {
    await this.go("stepIn");
    await this.go("stepOut");
  }
  async finish(command = "continue") {
    const exited = this.waitForEvent("exited");
    const terminated = this.waitForEvent("terminated");
    await this.send(command, { threadId: 1 });
    await terminated;
    return (await exited).body.exitCode;
  }
  async frames() {
    return (await this.stackTraceRequest({ threadId: 1 })).body.stackFrames;
  }
  async line() {
    return (await this.frames())[0].line;
  }
  async value(expression, context = "watch") {
    return (await this.evaluateRequest({ expression, context })).body.result;
  }
  async scope(name) {
    const { scopes } = (await this.scopesRequest({ frameId: 1 })).body;
    return scopes.find((scope) => scope.name === name).variablesReference;
  }
  async rows(variablesReference, page = {}) {
    return (await this.variablesRequest({ variablesReference, ...page })).body.variables;
  }
  async leaf(name) {
    return (await this.rows(await this.scope("Leaves"))).find((row) => row.name === name);
  }
  breakAt(...breakpoints) {
    return this.setBreakpointsRequest({ source: { path: program }, breakpoints }).then((r) => r.body.breakpoints);
  }
  async end() {
    const gone = this.adapter ? once(this.adapter, "exit") : once(this.socket, "close");
    await this.disconnectRequest();
    await gone;
  }
}

// The program computes loss = (x * w + b)², with x = 2, w = -3, b = 1: out = -5, and its derivative is -10.
const scenarios = {
  async launch(editor) {
    const stop = await editor.run({ args: ["one", "two words"], env: { GREETING: "hello" } });
    assert.equal(stop.reason, "entry");
    assert.equal(editor.capabilities.supportsStepBack, true);
    assert.deepEqual((await editor.threadsRequest()).body.threads.map((thread) => thread.id), [1]);
    const [top, caller] = await editor.frames();
    assert.deepEqual([top.line, top.column, top.endLine, top.endColumn], [9, 12, 9, 28]);
    assert.equal(top.name, "∂loss/∂loss in square");
    assert.equal(top.source.path, program);
    assert.deepEqual([caller.name, caller.line, caller.column, caller.endColumn], ["square", 12, 8, 19]);
    await editor.goToOut();
    assert.equal(await editor.line(), 11);
    assert.equal(await editor.value("out.grad"), "-10");
    assert.equal(await editor.finishFromAnywhere(), 0);
    assert.equal(editor.output, "dw = -20.0 one two words hello\n");
  },
  async over(editor) {
    await editor.run({ program: program + ":twice" }); // a global variable, twice = square(out) * 2.0
    await editor.go("next");
    await editor.go("next"); // over the scope
    const frames = await editor.frames();
    assert.deepEqual(frames.map((frame) => [frame.name, frame.line]), [["∂twice/∂square", 12]]);
    const [row] = await editor.rows(await editor.scope("Chain rule"));
    assert.equal(row.name, "out.grad");
    await editor.go("stepBack");
    await editor.go("stepIn");
    assert.equal((await editor.frames())[0].line, 9);
  },
  async breakpoints(editor) {
    const set = [];
    const stop = await editor.run({ stopOnEntry: false }, async () => {
      set.push(...(await editor.breakAt({ line: 10 }, { line: 8, condition: "grad > 1e9" })));
      assert.deepEqual(set.map((breakpoint) => [breakpoint.verified, breakpoint.reason]), [
        [false, "pending"], [false, "pending"],
      ]);
    });
    assert.equal(stop.reason, "breakpoint");
    assert.deepEqual(stop.hitBreakpointIds, [set[0].id]);
    assert.equal(await editor.line(), 11); // the next line that has something
    assert.equal(editor.breakpoints[set[0].id].line, 11);
    assert.equal(editor.breakpoints[set[0].id].verified, true);
    const locations = await editor.customRequest("breakpointLocations", { source: { path: program }, line: 1, endLine: 20 });
    assert.deepEqual(locations.body.breakpoints.map((location) => location.line), [4, 8, 9, 11, 12]);
    // conditions that hold, numbers of hits, and log points
    await editor.breakAt({ line: 11, condition: "op == 'mul' and grad == -10" });
    const met = await editor.go("continue");
    assert.equal(met.reason, "breakpoint");
    assert.equal(await editor.value("op"), "mul");
    await editor.go("reverseContinue");
    await editor.breakAt({ line: 11, hitCondition: "== 2" });
    await editor.go("goto", { targetId: +(await editor.value("index")) });
    await editor.breakAt({ line: 11, logMessage: "{op} has {grad}" }, { line: 8, hitCondition: "lots" }, { line: 8, condition: "x.__class__" });
    await editor.go("continue");
    assert.match(editor.output, /add has -10\nmul has -10\n/);
  },
  async refusals(editor) {
    const hostile = [
      "__import__('os').system('true')", "x.data.__class__", "[i for i in x]", "(lambda: 1)()", "while True: pass",
      "9**9**9**9", "open('/etc/passwd')", "x.__init__", "f'{x}'", "(".repeat(5000), "1".repeat(5000), "unknown > 1",
    ];
    const answers = [];
    await editor.run({}, async () => {
      answers.push(...(await editor.breakAt(...hostile.map((condition) => ({ line: 11, condition })))));
    });
    hostile.forEach((condition, i) => {
      const answer = editor.breakpoints[answers[i].id] || answers[i];
      if (condition === "9**9**9**9") return assert.equal(answer.verified, true); // a float: it is infinite
      assert.equal(answer.verified, false, condition);
      assert.ok(answer.message.length > 20, condition);
    });
    assert.equal(await editor.value("x", "hover"), "2, grad not yet"); // and life goes on
  },
  async functions(editor) {
    const answers = [];
    await editor.run({}, async () => {
      const names = ["square", "mul", "nothing"].map((name) => ({ name }));
      answers.push(...(await editor.setFunctionBreakpointsRequest({ breakpoints: names })).body.breakpoints);
    });
    assert.deepEqual(answers.map(({ id }) => editor.breakpoints[id].verified), [true, true, false]);
    for (const op of ["div", "mul"]) { // the first node of the scope, and the first product
      const stop = await editor.go("continue");
      assert.equal(stop.reason, "function breakpoint");
      assert.equal(await editor.value("op"), op);
    }
  },
  async data(editor) {
    await editor.run();
    const row = await editor.leaf("w");
    const info = (await editor.dataBreakpointInfoRequest({ variablesReference: row.variablesReference, name: "grad" })).body;
    assert.equal((await editor.dataBreakpointInfoRequest({ name: "nobody" })).body.dataId, null);
    const set = await editor.setDataBreakpointsRequest({ breakpoints: [{ dataId: info.dataId, accessType: "write" }] });
    assert.equal(set.body.breakpoints[0].verified, true);
    const stop = await editor.go("continue");
    assert.equal(stop.reason, "data breakpoint");
    assert.equal(await editor.value("w.grad"), "-20");
  },
  async back(editor) {
    await editor.run();
    const places = [await editor.value("index")];
    for (let i = 0; i < 5; i++) {
      await editor.go("stepIn");
      places.push(await editor.value("index"));
    }
    assert.equal(await editor.value("x.grad"), "30");
    await editor.breakAt({ line: 9 });
    const stop = await editor.go("reverseContinue");
    assert.equal(stop.reason, "breakpoint");
    assert.equal(await editor.value("x.grad"), "not yet");
    await editor.breakAt();
    await editor.go("reverseContinue");
    assert.equal(await editor.value("index"), "0"); // the beginning of the forward phase
    await editor.go("stepBack"); // nothing is before it
    assert.equal(await editor.value("index"), "0");
    await editor.go("next");
    assert.equal(await editor.value("index"), "1");
  },
  async variables(editor) {
    await editor.run();
    const leaves = await editor.scope("Leaves");
    assert.deepEqual((await editor.rows(leaves)).map((row) => row.name), ["x", "w", "b"]);
    assert.deepEqual((await editor.rows(leaves, { start: 1, count: 1 })).map((row) => row.name), ["w"]);
    await editor.goToOut();
    const chain = await editor.rows(await editor.scope("Chain rule"));
    assert.deepEqual(chain.map((row) => [row.name, row.value]), [["(x * w).grad", "-10 × 1 = -10"], ["b.grad", "-10 × 1 = -10"]]);
    const parts = await editor.rows(chain[0].variablesReference);
    assert.deepEqual(parts.map((row) => [row.name, row.value]), [
      ["upstream", "-10.0"], ["local", "1.0"], ["contribution", "-10.0"], ["total", "-10.0"],
      ["rule", "∂((x * w) + b)/∂(x * w) = 1"],
    ]);
    const [self] = await editor.rows(await editor.scope("Node"));
    assert.equal(self.value, "out = -5, grad -10");
    const inside = await editor.rows(self.variablesReference);
    assert.deepEqual(inside.map((row) => [row.name, row.value]), [
      ["value", "-5.0"], ["grad", "-10.0"], ["expression", "x * w + b"],
      ["in[0]", "(x * w) = -6, grad -10"], ["in[1]", "b = 1, grad -10"],
    ]);
    await assert.rejects(editor.rows(leaves), /earlier stop/); // references die at each stop
  },
  async changes(editor) {
    await editor.run();
    await editor.goToOut();
    const [self] = await editor.rows(await editor.scope("Node"));
    await assert.rejects(editor.setVariableRequest({ variablesReference: self.variablesReference, name: "grad", value: "1" }), /handed on its gradient/);
    const product = (await editor.rows(self.variablesReference)).find((row) => row.name === "in[0]");
    const invalidated = editor.waitForEvent("invalidated");
    const set = { variablesReference: product.variablesReference, name: "grad", value: "100 * 1" };
    assert.equal((await editor.setVariableRequest(set)).body.value, "100.0");
    await invalidated;
    await editor.go("next");
    assert.equal(await editor.value("w.grad"), "200");
    // the value of a leaf: the graph on the new number
    const index = await editor.value("index");
    const leaf = await editor.leaf("x");
    const stop = await editor.go("setVariable", { variablesReference: leaf.variablesReference, name: "value", value: "4" });
    assert.match(stop.description, /x = 4/);
    assert.equal(await editor.value("x"), "4, grad 66, set by hand: 2 in the program"); // 2 * (4 * -3 + 1) * -3
    assert.equal(+(await editor.value("index")), +index - 1); // the change is gone, and its step
    await assert.rejects(editor.setVariableRequest({ variablesReference: await editor.scope("Node"), name: "this", value: "1" }), /cannot be set/);
  },
  async evaluate(editor) {
    await editor.run();
    await editor.goToOut();
    const hover = (await editor.evaluateRequest({ expression: "out", context: "hover" })).body;
    assert.equal(hover.result, "out = -5, grad -10".replace("out = ", ""));
    assert.ok((await editor.rows(hover.variablesReference)).length > 3);
    assert.equal(await editor.value("out.grad / 4 if out.grad < 0 else 0"), "-2.5");
    await assert.rejects(editor.value("__import__('os')"), /no function/);
    assert.match(await editor.value("explain w", "repl"), /-20/);
    assert.match(await editor.value("help", "repl"), /explain/);
    const completed = await editor.completionsRequest({ text: "2 * ou", column: 7 });
    assert.deepEqual(completed.body.targets.map((target) => target.label), ["out"]);
    const targets = (await editor.gotoTargetsRequest({ source: { path: program }, line: 8 })).body.targets;
    assert.equal(targets[0].label, "a + a");
    const stop = await editor.go("goto", { targetId: targets[0].id });
    assert.equal(stop.reason, "goto");
    assert.equal(await editor.line(), 8);
    assert.deepEqual((await editor.customRequest("loadedSources")).body.sources.map((source) => source.path), [program]);
  },
  async exceptions(editor) {
    let stop = await editor.run({ stopOnEntry: false, program: program + ":broken" }, () =>
      editor.send("setExceptionBreakpoints", { filters: ["nonfinite"] }));
    assert.equal(stop.reason, "exception");
    const info = (await editor.exceptionInfoRequest({ threadId: 1 })).body;
    assert.equal(info.exceptionId, "nonfinite");
    assert.equal(info.description, "zero gets 0 × inf = nan; its gradient is nan");
    assert.match(info.details.stackTrace, /zero = nan \(0 \* inf\)[^]*program.py:16/); // this, and the description, are shown
    await editor.go("reverseContinue");
    const options = [{ filterId: "exploding", condition: "1e3" }, { filterId: "vanishing", condition: "open('x')" }];
    const set = await editor.send("setExceptionBreakpoints", { filters: [], filterOptions: options });
    assert.deepEqual(set.body.breakpoints.map((breakpoint) => breakpoint.verified), [true, false]);
    stop = await editor.go("continue");
    assert.equal(stop.reason, "exception");
    await assert.rejects(editor.send("setExceptionBreakpoints", { filters: ["nonsense"] }), /no filter/);
  },
  async restart(editor) {
    let set;
    await editor.run({ stopOnEntry: false }, async () => (set = await editor.breakAt({ line: 11 })));
    const stop = await editor.go("restart");
    assert.equal(stop.reason, "breakpoint");
    assert.deepEqual(stop.hitBreakpointIds, [set[0].id]);
    assert.equal(editor.output, ""); // what was not reached was not printed
    assert.equal(await editor.finish("terminate"), 137);
  },
  async attach(editor) {
    await editor.run({ token }, undefined, "attach");
    await editor.goToOut();
    assert.equal(await editor.value("out.grad"), "-10");
  },
};

Editor.prototype.finishFromAnywhere = async function () {
  await this.go("continue"); // to the end of the sweep
  return this.finish();
};

(async () => {
  const editor = new Editor();
  await editor.begin();
  await scenarios[scenario](editor);
  await editor.end();
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
