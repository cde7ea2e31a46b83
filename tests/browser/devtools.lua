-- devtools.lua: a headless Chromium, driven by its DevTools protocol over two named pipes: no driver, no sockets.
--
--   local browser = devtools.start()
--   local page = browser:open("file:///tmp/x.html")
--   page:eval "document.title"           -- the value, as JSON gives it
--   page.problems                        -- console errors, exceptions and policy violations so far
--   browser:close()
local core = require "rnnlab.core"

local devtools = {}

local function quote(word) return "'" .. tostring(word):gsub("'", "'\\''") .. "'" end

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  return (text:gsub("%s+$", "")), (pipe:close())
end

-- The name of the program; nil where there is none.
function devtools.program()
  for _, name in ipairs { "chromium", "chromium-browser", "google-chrome" } do
    local path = shell("command -v " .. name)
    if path ~= "" then return path end
  end
end

local Browser, Page = {}, {}
Browser.__index, Page.__index = Browser, Page

local flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
  .. "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --remote-debugging-pipe"

-- Start it with a new, empty profile; it ends by itself after two minutes.
function devtools.start()
  local folder, ok = shell 'mktemp -d "${TMPDIR:-/tmp}/rnnlab-browser.XXXXXX"'
  assert(ok and folder ~= "", "mktemp -d failed")
  local here = quote(folder)
  assert(os.execute(("mkdir %s/profile && mkfifo %s/in %s/out"):format(here, here, here)))
  assert(os.execute(("timeout -k 5 120 %s %s --user-data-dir=%s/profile about:blank 3<%s/in 4>%s/out >%s/log 2>&1 &")
    :format(quote(devtools.program()), flags, here, here, here, here)))
  local self = setmetatable({ folder = folder, number = 0, pages = {}, rest = "" }, Browser)
  self.to = assert(io.open(folder .. "/in", "wb"))
  self.from = assert(io.open(folder .. "/out", "rb"))
  return self
end

local function next_message(self)
  local parts = {}
  while true do
    local c = self.from:read(1)
    if c == nil then error("the browser has gone: " .. (core.host.read_file(self.folder .. "/log") or ""), 0) end
    if c == "\0" then break end
    parts[#parts + 1] = c
  end
  return core.json.decode(table.concat(parts))
end

local function note(page, message)
  local p = message.params
  if message.method == "Runtime.exceptionThrown" then
    page.problems[#page.problems + 1] = "exception: " .. tostring(p.exceptionDetails.text)
  elseif message.method == "Runtime.consoleAPICalled" and (p.type == "error" or p.type == "warning") then
    page.problems[#page.problems + 1] = "console: " .. core.json.encode(p.args)
  elseif message.method == "Log.entryAdded" and p.entry.level ~= "info" and p.entry.level ~= "verbose" then
    page.problems[#page.problems + 1] = "log: " .. tostring(p.entry.text)
  elseif message.method == "Page.loadEventFired" then
    page.loaded = true
  elseif message.method == "Network.requestWillBeSent" and not p.request.url:find "^data:" then
    page.requests[#page.requests + 1] = p.request.url
  end
end

local function send(self, method, params, session)
  self.number = self.number + 1
  self.to:write(core.json.encode { id = self.number, method = method, params = params or core.json.object {},
    sessionId = session }, "\0")
  self.to:flush()
  return self.number
end

local function pump(self, done)
  while not done() do
    local message = next_message(self)
    local page = message.sessionId and self.pages[message.sessionId]
    if message.id then self.answer = message elseif page then note(page, message) end
  end
end

-- Call a method and wait for its answer.
function Browser:call(method, params, session)
  local id = send(self, method, params, session)
  self.answer = nil
  pump(self, function() return self.answer and self.answer.id == id end)
  if self.answer.error then error(method .. ": " .. tostring(self.answer.error.message), 2) end
  return self.answer.result
end

-- A new tab with a page, loaded.
function Browser:open(url, width, height)
  local target = self:call("Target.createTarget", { url = "about:blank" }).targetId
  local session = self:call("Target.attachToTarget", { targetId = target, flatten = true }).sessionId
  local page = setmetatable({ browser = self, session = session, problems = {}, requests = {} }, Page)
  self.pages[session] = page
  for _, domain in ipairs { "Page", "Runtime", "Log", "Network" } do
    page:call(domain .. ".enable")
  end
  page:size(width or 1200, height or 900)
  page.loaded = false
  page:call("Page.navigate", { url = url })
  pump(self, function() return page.loaded end)
  return page
end

function Browser:close()
  pcall(send, self, "Browser.close")
  pcall(function()
    while self.from:read(4096) do end -- until it has gone
  end)
  self.to:close()
  self.from:close()
  os.execute("rm -rf " .. quote(self.folder))
end

function Page:call(method, params)
  return self.browser:call(method, params, self.session)
end

function Page:eval(expression)
  local result = self:call("Runtime.evaluate", { expression = expression, returnByValue = true, awaitPromise = true })
  if result.exceptionDetails then
    local thrown = result.exceptionDetails.exception
    error(expression .. ": " .. tostring(thrown and thrown.description or result.exceptionDetails.text), 2)
  end
  local value = result.result.value
  if value == core.json.null then return nil end
  return value
end

function Page:size(width, height)
  self:call("Emulation.setDeviceMetricsOverride", { width = width, height = height, deviceScaleFactor = 1,
    mobile = width < 600 })
end

-- scheme: "dark" or "light"; media: "print" or "screen"
function Page:media(scheme, media)
  self:call("Emulation.setEmulatedMedia", { media = media or "", features = core.json.array {
    { name = "prefers-color-scheme", value = scheme or "light" } } })
end

local function middle(self, selector)
  local box = self:eval(("(function(){var e=document.querySelector(%s);e.scrollIntoView({block:'center'});"
    .. "var b=e.getBoundingClientRect();return [b.x+b.width/2,b.y+b.height/2]})()"):format(core.json.encode(selector)))
  return box[1], box[2]
end

-- The mouse goes to the middle of an element.
function Page:hover(selector)
  local x, y = middle(self, selector)
  self:call("Input.dispatchMouseEvent", { type = "mouseMoved", x = x, y = y })
end

function Page:click(selector)
  local x, y = middle(self, selector)
  for _, kind in ipairs { "mouseMoved", "mousePressed", "mouseReleased" } do
    local pressed = kind ~= "mouseMoved"
    self:call("Input.dispatchMouseEvent", { type = kind, x = x, y = y, button = pressed and "left" or "none",
      clickCount = pressed and 1 or 0 })
  end
end

-- Text typed into a field, in the place of what it had.
function Page:type(selector, text)
  self:eval(("(function(){var e=document.querySelector(%s);e.focus();e.select()})()"):format(
    core.json.encode(selector)))
  if text == "" then
    for _, kind in ipairs { "keyDown", "keyUp" } do
      self:call("Input.dispatchKeyEvent", { type = kind, key = "Delete", code = "Delete", windowsVirtualKeyCode = 46 })
    end
  else
    self:call("Input.insertText", { text = text })
  end
end

local alphabet = {}
for i, c in ipairs { ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(1, -1) } do
  alphabet[c] = i - 1
end

local function from_base64(s)
  local out = {}
  for a, b, c, d in s:gmatch "(.)(.)(.)(.)" do
    local function value(char) return alphabet[char:byte()] or 0 end
    local n = value(a) << 18 | value(b) << 12 | value(c) << 6 | value(d)
    out[#out + 1] = string.char(n >> 16, n >> 8 & 255, n & 255):sub(1, d ~= "=" and 3 or c ~= "=" and 2 or 1)
  end
  return table.concat(out)
end

-- The whole page as a PNG.
function Page:picture(path)
  local data = self:call("Page.captureScreenshot", { format = "png", captureBeyondViewport = true }).data
  local file = assert(io.open(path, "wb"))
  file:write(from_base64(data))
  file:close()
end

-- The page on paper.
function Page:pdf()
  return from_base64(self:call("Page.printToPDF", { printBackground = false }).data)
end

return devtools
