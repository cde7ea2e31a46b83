-- structure.lua: what an svg of gnuplot's says, without its pixels: its size, the texts in their order, how many marks
-- and images there are, whether something is dashed, and which of the house's colours are there.
return function(svg)
  local lines, colors = {}, {}
  local texts = {}
  for body in svg:gmatch "<text>(.-)</text>" do
    local said = body:gsub("<[^>]*>", ""):gsub("%s+", " "):gsub("&lt;", "<"):gsub("&gt;", ">"):gsub("&amp;", "&")
    said = said:match "^%s*(.-)%s*$"
    if said ~= "" then texts[#texts + 1] = said end
  end
  for red, green, blue in svg:gmatch "rgb%(%s*(%d+),%s*(%d+),%s*(%d+)%)" do
    local color = ("#%02X%02X%02X"):format(red, green, blue)
    colors[color] = true
  end
  local palette = {}
  for _, color in ipairs { "#111827", "#2563EB", "#DC2626", "#14B8A6", "#F59E0B", "#9D174D", "#9CA3AF" } do
    if colors[color] then palette[#palette + 1] = color end
  end
  local function count(pattern) return select(2, svg:gsub(pattern, "")) end
  local dashed = count "stroke%-dasharray"
  lines[#lines + 1] = "size " .. (svg:match 'viewBox="([^"]*)"' or svg:match "viewBox='([^']*)'" or "?")
  lines[#lines + 1] = ("marks %d, images %d, dashed %s"):format(count "<use ", count "<image ",
    dashed > 0 and "yes" or "no")
  lines[#lines + 1] = "colours " .. table.concat(palette, " ")
  for _, said in ipairs(texts) do
    lines[#lines + 1] = "text " .. said
  end
  return table.concat(lines, "\n") .. "\n"
end
