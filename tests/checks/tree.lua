-- What the checks share: walking the source tree and reading C and Lua text without comments.

local tree = {}

local function shell_quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The files below root/folder with one of the endings, sorted, as paths below that folder.
function tree.files(root, folder, endings)
  local wanted = {}
  for _, ending in ipairs(endings) do
    wanted[ending] = true
  end
  local base = root .. "/" .. folder
  local pipe = assert(io.popen("find " .. shell_quote(base) .. " -type f 2>/dev/null | LC_ALL=C sort"))
  local found = {}
  for path in pipe:lines() do
    if wanted[path:match("%.([^./]+)$") or ""] then
      found[#found + 1] = path:sub(#base + 2)
    end
  end
  pipe:close()
  return found
end

function tree.exists(path)
  local file = io.open(path, "r")
  if file then
    file:close()
  end
  return file ~= nil
end

function tree.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

--- Iterates over number, line.
function tree.lines(text)
  local number = 0
  local next_line = (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("(.-)\n")
  return function()
    local line = next_line()
    if line then
      number = number + 1
      return number, line
    end
  end
end

local function blank(text)
  return (text:gsub("[^\n]", " "))
end

--- C text with comments turned to blanks; strings and line numbers stay.
function tree.without_comments(text)
  local out, position = {}, 1
  while position <= #text do
    local start = text:find("[\"'/]", position)
    if not start then
      break
    end
    out[#out + 1] = text:sub(position, start - 1)
    local two = text:sub(start, start + 1)
    local stop
    if two == "/*" then
      stop = select(2, text:find("*/", start + 2, true)) or #text
      out[#out + 1] = blank(text:sub(start, stop))
    elseif two == "//" then
      stop = (text:find("\n", start, true) or #text + 1) - 1
      out[#out + 1] = blank(text:sub(start, stop))
    elseif text:sub(start, start) == "/" then
      stop = start
      out[#out + 1] = "/"
    else
      local quote = text:sub(start, start)
      stop = start + 1
      while stop <= #text and text:sub(stop, stop) ~= quote and text:sub(stop, stop) ~= "\n" do
        stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      end
      out[#out + 1] = text:sub(start, stop)
    end
    position = stop + 1
  end
  out[#out + 1] = text:sub(position)
  return table.concat(out)
end

--- Lua text with comments turned to blanks; line numbers stay. Strings that hold "--" lose their end,
--- which no check minds.
function tree.without_lua_comments(text)
  text = text:gsub("%-%-%[(=*)%[.-%]%1%]", blank)
  return (text:gsub("%-%-[^\n]*", blank))
end

return tree
