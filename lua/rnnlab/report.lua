-- rnnlab.report owns `rnnlab report`: from stored runs and sweeps to a file. What is in it is made as a document
-- (report/runs.lua, report/sweep.lua, report/own.lua) and written by report/html.lua, markdown.lua or tex.lua.
local core = require "rnnlab.core"
local entries = require "rnnlab.report.entries"
local errors = require "rnnlab.errors"
local text = require "rnnlab.text"

local report = {}

local formats = { html = "html", htm = "html", md = "markdown", markdown = "markdown", tex = "tex", pdf = "pdf" }

local function warn(format, ...)
  io.stderr:write("rnnlab: ", text.one_line(format:format(...)), "\n")
end

-- ---- a folder for what is drawn ---------------------------------------------------------------------

-- A folder that is made when first asked for. A passing one is emptied of what was put there at the end.
local function folder_of(path, passing)
  local made = false
  local self = { path = path, files = {} }
  -- its path, once it is there
  function self.get()
    if not made then core.host.make_folder(path) end
    made = true
    return path
  end
  -- a passing one and what was put there
  function self.remove()
    if not made or not passing then return end
    for _, file in ipairs(self.files) do
      os.remove(path .. "/" .. file)
    end
    os.remove(path)
  end
  return self
end

-- Everything gnuplot may have left of these figures.
local function remember_drawn(folder, doc)
  for _, block in ipairs(doc.blocks) do
    for _, ending in ipairs { "svg", "png", "pdf" } do
      local path = block.kind == "figure" and block[ending]
      if path and path:sub(1, #folder.path + 1) == folder.path .. "/" then
        local stem = path:sub(#folder.path + 2):gsub("%.%w+$", "")
        for _, each in ipairs { ".gp", ".dat", "." .. ending } do
          folder.files[#folder.files + 1] = stem .. each
        end
      end
    end
  end
end

-- ---- files ------------------------------------------------------------------------------------------

-- Copies figures into `folder`, which the document calls `shown`; only those of a format the writer takes.
local function placer(folder, shown, endings)
  local placed = {}
  return function(block)
    for _, ending in ipairs(endings) do
      local path = block[ending]
      if path then
        local name = block.name .. "." .. ending
        if path ~= folder.path .. "/" .. name then
          local bytes = core.host.read_file(path)
          if bytes then
            if placed[name] and placed[name] ~= path then
              name = ("%s-%d.%s"):format(block.name, #folder.files, ending)
            end
            core.host.write_file(folder.get() .. "/" .. name, bytes)
            folder.files[#folder.files + 1] = name
          else
            name = nil
          end
        end
        if name then
          placed[name] = path
          return shown == "" and name or shown .. "/" .. name
        end
      end
    end
  end
end

local function last_lines(said)
  local lines = {}
  for line in said:gmatch "[^\n]+" do
    if line:find "^!" or line:find "^l%.%d" then lines[#lines + 1] = line end
  end
  return table.concat(lines, " ", 1, math.min(#lines, 2))
end

-- LuaLaTeX; again where a table that goes over pages has found its widths.
local function compile(folder, again)
  local words = { "lualatex", "--interaction=nonstopmode", "--halt-on-error", "--no-shell-escape", "--nosocket",
    "report.tex" }
  local code, said = core.host.run(words, { folder = folder.get(), timeout = 300,
    variables = { "SOURCE_DATE_EPOCH=0", "FORCE_SOURCE_DATE=1", "openout_any=p", "max_print_line=2000" } })
  for _, ending in ipairs { "aux", "log", "pdf", "tex" } do
    folder.files[#folder.files + 1] = "report." .. ending
  end
  if not code then
    if said:find("No such file", 1, true) then
      errors.failure("a PDF is made by lualatex, which was not found; install texlive-luatex, "
        .. "texlive-latex-recommended and fonts-lmodern (Debian), or write .tex or .html")
    end
    errors.failure("%s", said)
  elseif code ~= 0 then
    local missing = said:match "File [`']([^`']+%.sty)' not found" or said:match "font [`\"']?([%w-]+%.otf)"
    if missing then
      errors.failure("lualatex lacks %s; install texlive-latex-recommended and fonts-lmodern (Debian)", missing)
    end
    errors.failure("lualatex failed (status %d): %s", code, last_lines(said))
  elseif not again and said:find("Table widths have changed", 1, true) then
    compile(folder, true)
  end
end

local function write_file(path, bytes)
  local ok, problem = pcall(core.host.write_file, path, bytes)
  if not ok then errors.failure("%s", tostring(problem)) end
end

-- The folder for a document's figures: FILE_figures, its name such that LaTeX and Markdown take it as it is.
local function beside_of(path)
  local folder, stem = path:match "^(.*/)([^/]*)$"
  stem = (stem or path):gsub("%.[^.]+$", "")
  if not stem:find "^[%w._-]+$" then stem = require("rnnlab.report.plain").slug(stem) end
  return (folder or "") .. stem .. "_figures"
end

-- build(state) -> document, problems. Writes the document to path and cleans up whatever happened.
local function write(path, format, build)
  local beside = format == "markdown" or format == "tex"
  local folder = folder_of(beside and beside_of(path)
    or ("%s.%d.tmp"):format(path, core.host.info().pid), not beside)
  local writer = require("rnnlab.report." .. (format == "pdf" and "tex" or format))
  local state = { formats = { writer.figures[1] }, folder = folder.get, inline = format == "html" }
  -- a file drawn and not shown
  function state.also(file)
    folder.files[#folder.files + 1] = file:match "[^/]+$"
  end
  local doc, problems
  local ok, problem = pcall(function()
    doc, problems = build(state)
    remember_drawn(folder, doc)
    if format == "html" then
      write_file(path, writer.render(doc))
    elseif format == "pdf" then
      write_file(folder.get() .. "/report.tex", writer.render(doc, placer(folder, "", writer.figures)))
      compile(folder)
      write_file(path, assert(core.host.read_file(folder.path .. "/report.pdf")))
    else
      local shown = folder.path:match "[^/]+$"
      write_file(path, writer.render(doc, placer(folder, shown, writer.figures)))
    end
  end)
  if doc then remember_drawn(folder, doc) end
  folder.remove()
  if not ok then error(problem, 0) end
  return problems or {}
end

-- ---- the command --------------------------------------------------------------------------------------

local function format_of(path)
  local ending = path:match "%.([%w]+)$"
  local format = ending and formats[ending:lower()]
  if not format then
    errors.usage("-o %s: a report ends in .html, .md, .tex or .pdf", text.one_line(path))
  end
  if core.host.is_folder(path) then errors.usage("-o %s is a folder; a file is expected", text.one_line(path)) end
  return format
end

--- options as of the command line: words, output, all, title, results, json, quiet. Returns the exit code.
function report.report(options)
  local results, words = options.results or "results", options.words or {}
  if not options.output then
    errors.usage("report needs -o: where to write, a file ending in .html, .md, .tex or .pdf%s",
      options.all and ", with --all a folder" or "")
  end
  if options.all then
    if #words > 0 then errors.usage("--all takes every run; '%s' is one word too many", text.one_line(words[1])) end
    return require("rnnlab.report.site").write(options)
  end
  if #words == 0 then errors.usage("which runs? usage: rnnlab report RUN|SWEEP ... -o FILE, or --all -o SITE/") end
  local path = options.output
  local format = format_of(path)
  local list, names, seen = {}, {}, {}
  for _, word in ipairs(words) do
    local entry = entries.find(results, word)
    if not seen[entry.dir] then
      seen[entry.dir] = true
      list[#list + 1], names[#names + 1] = entry, entry.name
    end
  end
  local problems = write(path, format, function(state)
    return entries.document(results, list, options.title, state)
  end)
  if options.json then
    io.stdout:write(core.json.encode { report = path, format = format == "markdown" and "md" or format,
      runs = core.json.array(names), problems = core.json.array(problems) }, "\n")
  elseif not options.quiet then
    io.stdout:write(path, "\n")
  end
  for _, problem in ipairs(problems) do
    warn("%s (the rest of the report is in %s)", problem, path)
  end
  return #problems > 0 and 1 or 0
end

report.file = write
return report
