-- report_spec.lua: the parts of a report by themselves: numbers, text from outside, SVG, the three writers.
local document = require "rnnlab.report.document"
local gather = require "rnnlab.report.gather"
local html = require "rnnlab.report.html"
local markdown = require "rnnlab.report.markdown"
local numbers = require "rnnlab.report.numbers"
local plain = require "rnnlab.report.plain"
local svg = require "rnnlab.report.svg"
local tex = require "rnnlab.report.tex"

-- Long texts in Lua alone: the sanitizer run's restless collector (busted_helper.lua) would take minutes with them and
-- could find nothing.
collectgarbage("incremental", 200, 100)

describe("numbers", function()
  it("give the deviation two digits and the mean the same place", function()
    for _, case in ipairs {
      { 0.79432, 0.01234, "0.794 ± 0.012" }, { 12.3456, 0.0996, "12.35 ± 0.10" }, { 12345.6, 1234, "12300 ± 1200" },
      { 7.9e-7, 1.2e-7, "(7.9 ± 1.2)e-7" }, { 3.2e8, 1e6, "(3.200 ± 0.010)e8" }, { -0.0004, 0.1, "0.00 ± 0.10" },
      { 0.5, 0, "0.5 ± 0" }, { 1.25, nil, "1.25" }, { 1 / 3, nil, "0.3333" }, { 42, nil, "42" },
      { 1234567.5, nil, "1.235e6" }, { 0, nil, "0" }, { 0.1, 1e-300, "0.100000000000 ± 0.000000000000" },
      { 2 * .1 ^ 2, nil, "0.02" }, { 1.37, nil, "1.37" },
      { 1.370012, nil, "1.370" }, { 0 / 0, nil, "nan" }, { -math.huge, 1, "-inf" }, { 1, 0 / 0, "1" },
      { 9.996e-4, 1e-5, "(1.000 ± 0.010)e-3" },
    } do
      assert.equal(case[3], numbers.plain(case[1], case[2]))
    end
  end)
  it("are counted where they are finite", function()
    local mean, deviation, n = numbers.statistics { 1, 3, 0 / 0, "nan", math.huge, "inf" }
    assert.same({ 2, math.sqrt(2), 2 }, { mean, deviation, n })
    assert.same({ nil, nil, 0 }, { numbers.statistics { "nan" } })
    assert.is_nil(select(2, numbers.statistics { 5 }))
  end)
end)

describe("text from outside", function()
  it("is valid UTF-8 without control characters and turns no direction", function()
    assert.equal("a\u{FFFD}b", plain.block "a\xFFb")
    assert.equal("a\u{FFFD}\u{FFFD}", plain.block "a\xE2\x82")
    assert.equal("x\u{2400}\u{241B}[31m\u{2421}", plain.block "x\0\27[31m\127")
    assert.equal("U+202Eabc", plain.line "\u{202E}abc")
    assert.equal("שלום é", plain.line "שלום é")
    assert.equal("one two", plain.line "one \r\n\t two")
    assert.is_truthy(utf8.len(plain.block(("\xC0\x80\xF5é"):rep(50))))
    assert.equal("äöü … (10 characters)", plain.clip(("äöü"):rep(3) .. "x", 3))
  end)
end)

describe("runs", function()
  local function run(seed, changes)
    local r = { name = "a-" .. seed, dir = "nowhere", status = "finished", title = "a", seed = seed,
      record = { sha256 = { script = "s" } }, training = {}, figures = {}, metrics = { loss = seed / 2 },
      params = { seed = seed, data_seed = seed, lr = .01, threads = seed } }
    for key, value in pairs(changes or {}) do
      r[key] = value
    end
    return r
  end
  it("that differ only in their seed are one group, and only what finished is in its mean", function()
    local groups = gather.groups { run(1), run(2), run(3), run(4, { status = "diverged", metrics = { loss = 1e9 } }) }
    assert.equal(1, #groups)
    assert.equal(1, groups[1].metrics.loss.number)
    assert.equal(.5, groups[1].metrics.loss.deviation)
    assert.equal(3, groups[1].metrics.loss.n)
    assert.equal("3 finished and 1 diverged", gather.counts_text(groups[1].runs))
    assert.equal("1 to 4", gather.seeds_text(groups[1].runs))
  end)
  it("with another parameter, another script or fixed data are another", function()
    local other = run(2)
    other.params.lr = .1
    assert.equal(2, #gather.groups { run(1), other })
    assert.equal(2, #gather.groups { run(1), run(2, { record = { sha256 = { script = "t" } } }) })
    local fixed = run(2)
    fixed.params.data_seed = 1
    assert.equal(2, #gather.groups { run(1), run(2), fixed })
    assert.same({ "lr" }, (gather.differences(gather.groups { run(1), other })))
  end)
  it("are run again by a command that a shell takes as it is meant", function()
    local r = run(2, { record = { script = "my scripts/x'y.lua" } })
    r.params = { seed = 2, data_seed = 2, lr = .01, note = "a `b` $(c) \"d\"", threads = 1, dtype = "float32",
      show = 1 }
    assert.equal([[rnnlab run 'my scripts/x'\''y.lua' lr=0.01 'note=a `b` $(c) "d"' seed=2]], gather.command(r))
  end)
end)

describe("a picture in a page", function()
  it("keeps what draws, with ids of its own", function()
    local inner, width, height = svg.inline([[<?xml version="1.0"?><!-- c --><svg viewBox="0 0 680 348"
      xmlns="http://www.w3.org/2000/svg" onload="evil()"><title>Gnuplot</title><rect x="0" y="0" width="680"
      height="348" fill="#ffffff"/><defs><path id='p' d='M0,0'/></defs>
      <g style="fill:none; stroke:rgb(37, 99, 235); behavior:url(x)">
      <use xlink:href='#p' clip-path="url(#p)"/><text>a &lt; b &amp; c &unknown; </text></g></svg>]], "f1-", "alt &lt;")
    assert.same({ 680, 348 }, { width, height })
    assert.matches('id="f1%-p"', inner)
    assert.matches('href="#f1%-p"', inner)
    assert.matches('url%(#f1%-p%)', inner)
    assert.matches('stroke="#2563eb"', inner)
    assert.matches("a &lt; b &amp; c &amp;unknown;", inner)
    for _, gone in ipairs { "onload", "style=", "Gnuplot", "behavior", "ffffff", "xmlns" } do
      assert.is_nil(inner:find(gone, 1, true), gone)
    end
  end)
  it("drops what could run or load", function()
    local inner = svg.inline([[<svg viewBox="0 0 1 1"><script>alert(1)</script><a xlink:href="javascript:alert(1)">
      <text onclick="x()">t</text></a><image xlink:href="http://x/y.png"/><foreignObject><p>q</p></foreignObject>
      <g fill="url(http://x)" d="x&quot; onload=&quot;y"/><image href="data:image/svg+xml;base64,AAAA"/>
      <style>p{}</style></svg>]], "f1-", "")
    for _, gone in ipairs { "script", "javascript", "onclick", "http", "foreign", "data:", "p{}", "<a" } do
      assert.is_nil(inner:find(gone, 1, true), gone)
    end
    assert.matches("<text>t</text>", inner)
  end)
  it("is not taken where it is no well-formed SVG", function()
    for _, s in ipairs { "", "<svg", "<svg viewBox='0 0 1 1'>", "<svg viewBox='0 0 1 1'><g></svg>",
      "<svg viewBox='0 0 1 1'><g a=b></g></svg>", "<svg viewBox='0 0 1 1'><![CDATA[<script>]]></svg>",
      "<svg><g/></svg>", "<svg viewBox='0 0 1 1'><g fill='x></g></svg>" } do
      assert.is_nil(svg.inline(s, "f", ""), s)
    end
  end)
  it("is base64 as RFC 4648 has it", function()
    for s, want in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=" } do
      assert.equal(want, svg.base64(s))
    end
  end)
end)

-- Words that mean something to one of the writers, and long, and other scripts.
local hostile = {
  "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</title></style><script>alert(2)</script>",
  "'; system('touch /tmp/x'); '", "`touch x`", "$(touch x)", "\\input{/etc/passwd}", "\\directlua{os.exit(1)}",
  "\\immediate\\write18{touch x}", "$x^2_3$ & 50% #1 ~ {a}", "a|b|c", "[x](javascript:alert(1))", "![x](http://e/p)",
  "*bold* _em_ `code` ~~no~~", "# heading", "- item", "1. item", "> quote", "line\nbreak\r\n\r\n# two", "tab\there",
  "שלום עולם", "مرحبا بالعالم", "\u{202E}evil\u{202C}", "日本語のラベル", "αβγ λ₁ ≤ ∞", "😀🎉", "a\0b\27[31mred", "\xFF\xFE\xC0",
  "", " ", "&lt;b&gt; &amp; &#60;", "--> <!-- x", "]]>", "${7*7} {{7*7}} <%= 7 %>", ("x"):rep(10000),
  ("<b>&\\"):rep(2500), ("é "):rep(5000), "javascript:alert(1)",
  "\\end{document}", "%s %d %n", "^^5c^^41 ``q''", "@import",
}

local function hostile_document()
  local doc = document.new(hostile[1], hostile[2])
  for i, word in ipairs(hostile) do
    doc:section(word, i % 2 + 1)
    doc:text(word, " ", { code = word }, " ", { strong = word })
    doc:note({ strong = word }, word)
    doc:code(word, "lua", i % 2 == 0 and word or nil)
    doc:list { word, { word, { code = word } } }
    doc:facts { { word, word }, { word, { text = word, code = true } } }
    doc:table { columns = { word, { name = word, align = "right" } }, caption = word, sortable = i % 2 == 0,
      rows = { { word, { text = word, code = true } },
        { { text = word, strong = true, tone = "bad" }, { number = i } } } }
    doc:figure { name = word, caption = word, alt = word, spark = { { points = { { 1, 2 }, { 2, 1 } } } } }
    doc:table { trials = true, columns = { "#", word }, axes = { { name = word, tics = { { at = 0, label = word } } } },
      rows = { { word, word, trial = i, at = { .5 }, class = "q1", tone = word } } }
  end
  return doc
end

describe("hostile words", function()
  it("are text in HTML: the tags are ours, and so is the script", function()
    local page = html.render(hostile_document())
    assert.equal(1, select(2, page:gsub("<script", "")))
    assert.equal(1, select(2, page:gsub("</script", "")))
    assert.equal(1, select(2, page:gsub("<style", "")))
    assert.is_nil(page:find("<img src=x", 1, true))
    assert.is_nil(page:find " on%w+=\"")
    assert.is_nil(page:find(' href="javascript', 1, true))
    assert.is_nil(page:find "[\0-\8\11-\31]")
    assert.is_truthy(utf8.len(page))
    assert.is_truthy(page:find("&lt;script&gt;alert(1)&lt;/script&gt;", 1, true))
    -- Every tag that is opened is closed: the page is one tree.
    local open, void = {}, { meta = true, br = true, img = true, input = true }
    local body = page:gsub("<script>.-</script>", ""):gsub("<style>.-</style>", ""):gsub("<!doctype html>", "")
    for slash, name, rest in body:gmatch "<(/?)(%w+)([^<>]*)>" do
      if slash == "/" then assert.equal(table.remove(open), name)
      elseif not void[name] and rest:sub(-1) ~= "/" then open[#open + 1] = name end
    end
    assert.equal(0, #open)
  end)
  it("are text by the thousand, in labels, titles, names and notes", function()
    local doc = document.new "x"
    local rows, n = {}, 0
    for i = 1, 2000 do
      local word = hostile[i % #hostile + 1]
      if #word > 1000 then word = word:sub(1, 200) end
      word = word .. i
      n = n + 1
      if i % 4 == 0 then doc:section(word) elseif i % 4 == 1 then doc:text(word, { code = word })
      else rows[#rows + 1] = { word, { text = word, code = true, strong = true } } end
    end
    doc:table { columns = { "a", "b" }, rows = rows, sortable = true }
    assert.equal(2000, n)
    local page = html.render(doc)
    assert.equal(1, select(2, page:gsub("<script", "")))
    assert.equal(500, select(2, page:gsub("<h2>", "")))
    assert.equal(1 + #rows, select(2, page:gsub("<tr>", "")))
    assert.is_nil(page:find("<b>", 1, true))
    local lines = markdown.render(doc, function() end)
    assert.equal(500, select(2, lines:gsub("\n## ", "")))
    assert.equal(2 + #rows, select(2, lines:gsub("\n|", "")))
    assert.is_truthy(utf8.len(page) and utf8.len(lines))
  end)
  it("are text in Markdown: no tag, no link, no heading, no row more", function()
    local page = markdown.render(hostile_document(), function() return "x.svg" end)
    local fenced, headings = nil, 0
    for line in page:gmatch "[^\n]*" do
      local fence = line:match "^(```+)"
      if fenced then
        if line == fenced then fenced = nil end
      elseif fence then
        fenced = fence
      else
        local bare = line:gsub("(`+).-%f[`]%1%f[^`]", ""):gsub("\\.", "")
        assert.is_nil(bare:find "<%a", line:sub(1, 200))
        assert.is_nil(bare:find "%]%(%a+:", line:sub(1, 200))
        if line:find "^#+ " then headings = headings + 1 end
      end
    end
    assert.is_nil(fenced)
    assert.equal(1 + #hostile + #hostile // 2, headings)
    assert.is_truthy(utf8.len(page))
  end)
  it("are text in LaTeX: every command is ours", function()
    local page = tex.render(hostile_document(), function() return nil end)
    for _, gone in ipairs { "\\input", "\\directlua", "\\write", "\\immediate", "^^" } do
      assert.is_nil(page:find(gone, 1, true), gone)
    end
    assert.equal(1, select(2, page:gsub("\\end{document}", "")))
    local depth = 0 -- braces that are not escaped
    for brace in page:gsub("\\\\", ""):gsub("\\[{}]", ""):gmatch "[{}]" do
      depth = depth + (brace == "{" and 1 or -1)
      assert.is_true(depth >= 0)
    end
    assert.equal(0, depth)
  end)
end)

describe("a document", function()
  it("is the same bytes each time, under a policy that names its own script and style", function()
    local first, second = html.render(hostile_document()), html.render(hostile_document())
    assert.equal(first, second)
    assert.matches("default%-src 'none'; script%-src 'sha256%-[%w+/]+=*'; style%-src 'sha256%-[%w+/]+=*'", first)
    assert.is_nil(first:find("unsafe", 1, true))
    assert.is_nil(first:find " src=\"[^d]")
  end)
  it("has rounded means in each format's own way", function()
    local doc = document.new "t"
    doc:table { columns = { "a" }, rows = { { { number = 7.9e-7, deviation = 1.2e-7, n = 3, of = 4 } } } }
    assert.is_truthy(html.render(doc):find("(7.9 ± 1.2) × 10<sup>−7</sup>", 1, true))
    assert.is_truthy(html.render(doc):find("n = 3 of 4", 1, true))
    assert.is_truthy(markdown.render(doc):find("(7.9 ± 1.2)e-7 (n = 3 of 4)", 1, true))
    assert.is_truthy(tex.render(doc):find("$(7.9 \\pm 1.2) \\times 10^{-7}$", 1, true))
  end)
  it("shows a wide table in LaTeX as several, each with its first column", function()
    local doc, columns, row = document.new "t", { "name" }, { "x" }
    for i = 1, 30 do
      columns[i + 1], row[i + 1] = "column " .. i, i * 1.5
    end
    doc:table { columns = columns, rows = { row }, caption = "c" }
    local page = tex.render(doc)
    assert.is_true(select(2, page:gsub("\\toprule", "")) >= 3)
    assert.equal(select(2, page:gsub("\\toprule", "")), select(2, page:gsub("\nname & ", "")))
  end)
end)

describe("a sweep's document", function()
  local fixture = require "sweep_fixture"
  local sweep_ = require "rnnlab.report.sweep"
  local trials_ = require "rnnlab.report.trials"

  local function pages(sweep)
    local doc = document.new(sweep.name)
    sweep_.write(doc, sweep, { importance = { { name = "lr", share = .7 }, { name = "cell", share = .3 } } })
    return html.render(doc), markdown.render(doc), tex.render(doc)
  end

  it("ranks configurations by their mean, and leaves out those with a trial that did not finish", function()
    local sweep = fixture.sweep(90, 3)
    local ranked, rest = trials_.ranked(sweep)
    assert.equal(30, #ranked + rest)
    for i, config in ipairs(ranked) do
      assert.equal(3, #config.trials)
      assert.equal(3, config.values[1].n)
      assert.is_true(i == 1 or ranked[i - 1].values[1].number <= config.values[1].number)
      for _, trial in ipairs(config.trials) do
        assert.equal("finished", trial.status)
      end
    end
    sweep.objective[1].direction = "max"
    assert.equal(ranked[1].number, trials_.ranked(sweep)[#ranked].number)
  end)

  it("has the Pareto front of two objectives", function()
    local sweep = fixture.sweep(30, 1)
    sweep.objective[2] = { name = "size", direction = "max" }
    for _, trial in ipairs(sweep.trials) do
      if trial.value then trial.values[2] = trial.params.hidden end
    end
    local ranked = trials_.ranked(sweep)
    local on = 0
    for _, config in ipairs(ranked) do
      local dominated = false
      for _, other in ipairs(ranked) do
        local a, b = other.values, config.values
        dominated = dominated or a[1].number <= b[1].number and a[2].number >= b[2].number
          and (a[1].number < b[1].number or a[2].number > b[2].number)
      end
      assert.equal(not dominated, config.front)
      if config.front then on = on + 1 end
    end
    assert.is_true(on > 1 and on < #ranked)
    local _, lines = pages(sweep)
    assert.matches("## Pareto front", lines)
  end)

  it("places every trial on the axes, from 0 to 1, or nowhere", function()
    local sweep = fixture.sweep(60, 1)
    sweep.trials[3].params = { cell = "unknown", lr = 0 / 0 }
    local axes, at = trials_.axes(sweep, { "cell", "hidden", "lr" })
    assert.equal(4, #axes)
    for i, trial in ipairs(sweep.trials) do
      for k, place in ipairs(at(trial)) do
        assert.is_true(place == false or place >= 0 and place <= 1, ("%d %d"):format(i, k))
      end
    end
    assert.same({ false, false, false }, { table.unpack(at(sweep.trials[3]), 1, 3) })
    local classes = trials_.classes(sweep)
    assert.equal("qx", classes[7]) -- diverged
  end)

  it("says so where there is nothing yet, where all failed, and where little is known", function()
    local empty = fixture.sweep(0, 1)
    local page, lines, latex = pages(empty)
    assert.matches("No trial has ended yet", lines)
    assert.matches("None has ended yet", latex)
    assert.matches("No trial has ended yet", page)
    local failed = fixture.sweep(5, 1)
    for _, trial in ipairs(failed.trials) do
      trial.status, trial.value, trial.values, trial.error = "failed", nil, {}, "no <luck>"
    end
    page, lines = pages(failed)
    assert.matches("No configuration has finished", lines)
    assert.matches("no &lt;luck&gt;", page)
    local bare = { name = "b", dir = "nowhere", objective = { { name = "loss", direction = "min" } },
      trials = { { number = 1, config = 1, params = {}, status = "finished", value = 1, values = { 1 } },
        { number = 2, config = 2, params = { x = true }, status = "finished", value = 1e300, values = { 1e300 } } } }
    page, lines, latex = pages(bare)
    assert.matches("10<sup>300</sup>", page)
    assert.matches("1e300", lines)
    assert.matches("\\times 10^{300}", latex)
  end)

  it("of a thousand trials is far below five megabytes", function()
    local page = pages(fixture.sweep(1000, 1))
    assert.is_true(#page < 1500000, #page)
    assert.equal(1000, select(2, page:gsub('<path class="ln ', "")))
  end)
end)
