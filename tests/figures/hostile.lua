-- hostile.lua: texts that try to run something or to break what they stand in, the same ones at every run.
--
--   local texts = require "hostile"(trap)   -- a list; none of them may make the file `trap`
local attacks = {
  "`touch TRAP`", "$(touch TRAP)", "\"`touch TRAP`\"", "'; system('touch TRAP') ; '",
  "x\nsystem(\"touch TRAP\")\n",
  "\\'; system('touch TRAP') #", "'\n!touch TRAP\n'", "} ; system('touch TRAP') ; {",
  "@T\" . system(\"touch TRAP\") . \"",
  "< touch TRAP", "| touch TRAP", "%s %d %n %1$s 50 % of %%", "\\\n!touch TRAP\n",
  "eval('system(\"touch TRAP\")')",
  "<script>document.title='ran'</script>", "</text><script>alert(1)</script>", "\" onload=\"alert(1)", "]]>",
  "<!--", "-->",
  "<![CDATA[", "&lt;&amp;&#x41;&nosuch;", "<svg/onload=alert(1)>", "javascript:alert(1)",
  "\\immediate\\write18{touch TRAP}", "\\input{/etc/passwd}", "\\input|\"touch TRAP\"",
  "\\directlua{os.execute('touch TRAP')}",
  "\\def\\x{\\x}\\x", "\\end{document}", "\\newcommand", "\\\\", "\\", "\\verb|x|", "$$", "$x_1^2$",
  "#1 ## \\par", "~^_&%$#{}\\",
  "{{{{", "}}}}", "[b]{x}", "[lt]{\\rule{9cm}{9cm}}", "{\\catcode`\\%=12", "^^5cinput", "%", "x%y\nz",
  "--- -- ,, `` '' ?` !`",
  "\0\1\2\27[31mred\27[0m\7\8", "tab\tand\rreturn\r\nline\11\12", "\127\194\133\194\155",
  "\226\128\168\226\128\169\226\128\174evil\226\128\172",
  "\255\254\253", "\195", "\237\160\128", "\192\167", "\244\144\128\128", "\239\191\191",
  "שלום עולם", "مرحبا بالعالم", "日本語のラベル",
  "한국어 라벨", "😀🚀", "e\204\129\204\129\204\129\204\129", "Ünïcödé ß ñ ø",
  "αβγ ∑ ≤ ≥ ≠ ± ∞ √ ∂ μ₁²³ⁿ", "𝔘𝔫𝔦", "\226\128\139zero\226\128\139width",
  "a\194\160b", "NaN", "1e9999",
  "-d", "--help", "e\n",
  "../../etc/passwd", "C:\\Windows", "' . `id` . '", "using 1:2", "title 'x'", "notitle", "", " ", "   ",
  "'", "''", "\"", "`",
}

return function(trap)
  local texts = {}
  for _, attack in ipairs(attacks) do
    texts[#texts + 1] = (attack:gsub("TRAP", function() return trap end))
  end
  texts[#texts + 1] = ("long "):rep(2000)
  texts[#texts + 1] = ("\\{$%&#_^~"):rep(1111)
  texts[#texts + 1] = ("日"):rep(3400)
  local seed = 12345 -- a generator of our own, so that the texts are the same everywhere
  local function draw(n)
    seed = (seed * 1103515245 + 12345) % 2 ^ 31 | 0
    return seed // 65536 % n + 1
  end
  local pieces = { "'", "\"", "`", "\\", "{", "}", "$", "%", "&", "#", "_", "^", "~", "<", ">", "|", ";",
  "(", ")", "[", "]", "@",
  "!", "\n", "\r", "\t", "\0", "\27", "\127", "system('touch " .. trap .. "')", "\\input{", "<script>",
  "</svg>", "é", "日",
    "ש", "\255", "\226\128\174", "-", "--", " ", "x", "plot", "e1" }
  while #texts < 2000 do
    local parts = {}
    if draw(3) == 1 then parts[1] = texts[draw(#attacks)] end
    for i = #parts + 1, draw(14) do
      parts[i] = pieces[draw(#pieces)]
    end
    texts[#texts + 1] = table.concat(parts)
  end
  return texts
end
