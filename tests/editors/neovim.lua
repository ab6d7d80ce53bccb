-- Drives the adapter with nvim-dap, and writes what it saw as JSON to the file $SEEN; the program is $PROGRAM.
local dap, repl = require("dap"), require("dap.repl")
dap.adapters["autograd-mini"] = { type = "executable", command = vim.env.PYTHON, args = { "-m", "autograd_mini", "dap" } }
dap.configurations.python = { { type = "autograd-mini", request = "launch", name = "Step through backprop", program = "${file}" } }
local seen, stops = { frames = {} }, 0
dap.listeners.after.event_stopped["test"] = function() stops = stops + 1 end

local function moves(name, move) -- and waits until the editor has the frame of the stop
  local before, session = stops, dap.session()
  local old = session and session.current_frame
  move()
  local is_there = vim.wait(30000, function()
    session = dap.session()
    return stops > before and session and session.current_frame and session.current_frame ~= old
  end, 20)
  assert(is_there, "no " .. name)
  local frame = session.current_frame
  table.insert(seen.frames, { name, frame.name, frame.line })
end
local function types(line) return function() repl.execute(line) end end

local is_well, problem = pcall(function()
  vim.cmd("edit " .. vim.env.PROGRAM)
  moves("run", function() dap.run(dap.configurations.python[1]) end)
  moves("over", dap.step_over)
  moves("into", dap.step_into)
  moves("back", dap.step_back)
  repl.open()
  moves("jump 14", types("jump 14"))
  repl.execute("open softmax")
  moves("n", types("n"))
  moves("rn", types("rn"))
  repl.execute("tree")
  repl.execute("nonsense here")
  moves("reverse", dap.reverse_continue)
  seen.console = vim.api.nvim_buf_get_lines(vim.fn.bufnr("dap-repl"), 0, -1, false)
  dap.terminate()
  seen.ended = vim.wait(30000, function() return dap.session() == nil end, 20)
end)
if not is_well then seen.error = tostring(problem) end
vim.fn.writefile({ vim.fn.json_encode(seen) }, vim.env.SEEN)
vim.cmd("qa!")
