-- report_spec.lua: reports in a browser: they load without a complaint, sort, filter and highlight, let nothing run
-- that is not theirs, and fit a phone, the dark and paper. With RNNLAB_SHOTS=DIR their pictures are kept there.
package.path = os.getenv "RNNLAB_SOURCE" .. "/tests/lua/?.lua;" .. package.path
local core = require "rnnlab.core"
local devtools = require "devtools"
local document = require "rnnlab.report.document"
local entries = require "rnnlab.report.entries"
local fixture = require "sweep_fixture"
local html = require "rnnlab.report.html"
local report = require "rnnlab.report"

local folder, browser
local shots = os.getenv "RNNLAB_SHOTS"

local function path(name) return folder .. "/" .. name end

local function write_page(name, sweep)
  report.file(path(name), "html", function(state) return entries.of_sweep(sweep, nil, state) end)
  return "file://" .. path(name)
end

local function shown(page)
  return page:eval "Array.from(document.querySelectorAll('[data-trials] tbody tr:not(.hid)')).map(r=>r.dataset.trial)"
end

-- The texts of a column, by its head, of the rows that are shown.
local function column(page, name)
  return page:eval(([[(function(){var t=document.querySelector('[data-trials] table');
    var k=Array.from(t.tHead.rows[0].cells).findIndex(c=>c.textContent===%s);
    return Array.from(t.tBodies[0].rows).filter(r=>!r.classList.contains('hid')).map(r=>r.cells[k].textContent)})()]])
    :format(core.json.encode(name)))
end

-- What sticks out of the page, outside of boxes that scroll: "" where nothing does.
local function sticking_out(page)
  return page:eval [[Array.from(document.querySelectorAll('body *')).filter(function(e){
    if(e.getBoundingClientRect().right<=document.documentElement.clientWidth+1)return false;
    for(var p=e.parentElement;p;p=p.parentElement)
      if(getComputedStyle(p).overflowX!=='visible'||p.tagName==='svg')return false;
    return true}).slice(0,3).map(e=>e.outerHTML.slice(0,100)).join(' ')]]
end

local function head(name)
  local names = { trial = 1, config = 2, status = 3, val_loss = 4, cell = 5, hidden = 6, lr = 7 }
  return ("[data-trials] th:nth-child(%d) button"):format(names[name])
end

if not devtools.program() then
  describe("reports in a browser", function() pending "there is no chromium" end)
  return
end

describe("reports in a browser", function()
  setup(function()
    local pipe = assert(io.popen 'mktemp -d "${TMPDIR:-/tmp}/rnnlab-pages.XXXXXX"')
    folder = pipe:read "l"
    pipe:close()
    browser = devtools.start()
  end)
  teardown(function()
    browser:close()
    os.execute("rm -rf '" .. folder .. "'")
  end)

  describe("a sweep of 60 trials", function()
    local url
    setup(function() url = write_page("sweep.html", fixture.sweep(60, 3)) end)

    it("loads without a complaint and asks the network for nothing", function()
      local page = browser:open(url)
      assert.same({}, page.problems)
      assert.equal("tutorial8-q2-sweep-1", page:eval "document.title")
      assert.equal(60, #shown(page))
      assert.equal(60, page:eval "document.querySelectorAll('.par path[data-trial]').length")
      assert.same({ url }, page.requests)
    end)

    it("sorts by a column, numbers as numbers, what is missing last both ways", function()
      local page = browser:open(url)
      page:click(head "val_loss")
      local values = column(page, "val_loss")
      for i = 2, 51 do
        assert.is_true(tonumber(values[i - 1]) <= tonumber(values[i]), i)
      end
      assert.equal("–", values[52])
      assert.equal("ascending", page:eval("document.querySelector('[aria-sort]').getAttribute('aria-sort')"))
      page:click(head "val_loss")
      values = column(page, "val_loss")
      assert.is_true(tonumber(values[1]) > tonumber(values[51]))
      assert.equal("–", values[60])
      page:click(head "lr") -- written as powers of ten where they are small, and in order all the same
      local order = page:eval "Array.from(document.querySelectorAll('[data-trials] tbody tr'))"
        and page:eval [[Array.from(document.querySelectorAll('[data-trials] tbody tr')).map(
          r=>parseFloat(r.cells[6].dataset.sort))]]
      for i = 2, 60 do
        assert.is_true(order[i - 1] <= order[i])
      end
      page:click(head "cell")
      local cells = column(page, "cell")
      assert.equal("elman", cells[1])
      assert.equal("lstm", cells[60])
      assert.same({}, page.problems)
    end)

    it("filters by words, by comparisons and by status; lines go with their rows", function()
      local page = browser:open(url)
      local all = fixture.sweep(60, 3).trials
      local function expected(f)
        local list = {}
        for _, trial in ipairs(all) do
          if f(trial) then list[#list + 1] = tostring(trial.number) end
        end
        return list
      end
      page:type("[data-trials] input", "lr<0.002 cell=lstm")
      local want = expected(function(t) return t.params.lr < .002 and t.params.cell == "lstm" end)
      assert.is_true(#want > 2)
      assert.same(want, shown(page))
      assert.equal(#want, page:eval "document.querySelectorAll('.par path[data-trial]:not(.off)').length")
      assert.equal(#want .. " of 60 trials", page:eval "document.querySelector('[data-trials] output').textContent")
      page:type("[data-trials] input", "ideas")
      assert.same(expected(function(t) return t.status == "failed" end), shown(page))
      page:type("[data-trials] input", "nothing<such")
      assert.same({}, shown(page))
      page:type("[data-trials] input", "")
      assert.equal(60, #shown(page))
      page:eval [[(function(){var s=document.querySelector('[data-trials] select');s.value='diverged';
        s.dispatchEvent(new Event('change'))})()]]
      assert.same(expected(function(t) return t.status == "diverged" end), shown(page))
      assert.same({}, page.problems)
    end)

    it("highlights a row's line and a line's row, and pins them by a click and by the keyboard", function()
      local page = browser:open(url)
      local function classes(selector) return page:eval(("document.querySelector(%q).getAttribute('class')||''"):format(
        selector)) end
      page:hover '[data-trials] tr[data-trial="5"] td:nth-child(3)'
      assert.matches("%f[%w]on%f[%W]", classes 'path[data-trial="5"]')
      page:hover "h1"
      assert.is_nil(classes('path[data-trial="5"]'):find "%f[%w]on%f[%W]")
      page:eval [[document.querySelector('path[data-trial="8"]').dispatchEvent(new MouseEvent('mouseover',
        {bubbles:true}))]]
      assert.matches("%f[%w]on%f[%W]", classes 'tr[data-trial="8"]')
      page:click '[data-trials] tr[data-trial="5"] .pick'
      assert.matches("pinned", classes 'path[data-trial="5"]')
      assert.equal("true", page:eval [[document.querySelector('tr[data-trial="5"] .pick')
        .getAttribute('aria-pressed')]])
      page:eval [[document.querySelector('tr[data-trial="6"] .pick').focus()]]
      assert.matches("%f[%w]on%f[%W]", classes 'path[data-trial="6"]')
      assert.same({}, page.problems)
    end)

    it("fits a phone and a desk, in light, dark and on paper", function()
      local page = browser:open(url)
      local grounds = {}
      for _, width in ipairs { 390, 1200 } do
        for _, scheme in ipairs { "light", "dark" } do
          page:size(width, 900)
          page:media(scheme)
          assert.equal("", sticking_out(page))
          assert.is_true(page:eval "document.documentElement.scrollWidth" <= width, width)
          grounds[scheme] = page:eval "getComputedStyle(document.body).backgroundColor"
          if shots then page:picture(("%s/sweep-%d-%s.png"):format(shots, width, scheme)) end
        end
      end
      assert.equal("rgb(255, 255, 255)", grounds.light)
      assert.is_true(grounds.dark ~= grounds.light)
      page:media("light", "print")
      assert.equal("none", page:eval "getComputedStyle(document.querySelector('.tools')).display")
      page:media()
      local pdf = page:pdf()
      assert.matches("^%%PDF", pdf)
      if shots then
        local file = assert(io.open(shots .. "/sweep-print.pdf", "wb"))
        file:write(pdf)
        file:close()
      end
    end)

    it("has names for what has no text, and heads for its columns", function()
      local page = browser:open(url)
      assert.equal(0, page:eval [[Array.from(document.querySelectorAll('svg,img')).filter(e=>
        !(e.getAttribute('aria-label')||e.getAttribute('alt')||e.getAttribute('aria-hidden'))).length]])
      assert.equal(0, page:eval [[Array.from(document.querySelectorAll('th')).filter(e=>!e.scope).length]])
      assert.equal(0, page:eval [[Array.from(document.querySelectorAll('button')).filter(e=>!e.textContent).length]])
      assert.equal(0, page:eval [[Array.from(document.querySelectorAll('input,select')).filter(e=>
        !e.labels.length).length]])
      assert.equal(0, page:eval [[(function(){var s={},n=0;document.querySelectorAll('[id]').forEach(e=>{
        if(s[e.id])n++;s[e.id]=1});return n})()]])
      assert.equal("en", page:eval "document.documentElement.lang")
    end)
  end)

  it("runs nothing that was put into a page, and loads nothing", function()
    write_page("plain.html", fixture.sweep(12, 1))
    local bytes = assert(core.host.read_file(path "plain.html"))
    local evil = [[<script>window.hacked=1</script><img src="x.png" onerror="window.hacked=2"><p id="styled"
      style="color:rgb(1,2,3)">x</p><style>p{color:rgb(4,5,6)!important}</style><svg onload="window.hacked=3"></svg>
      <iframe srcdoc="<script>parent.hacked=4</script>"></iframe><a id="link" href="javascript:window.hacked=5">go</a>
      <link rel="stylesheet" href="http://127.0.0.1:9/x.css"><img src="http://127.0.0.1:9/x.png">
      <form action="http://127.0.0.1:9/"><button id="submit">s</button></form>]]
    core.host.write_file(path "evil.html", (bytes:gsub("<main>", function() return "<main>" .. evil end, 1)))
    local page = browser:open("file://" .. path "evil.html")
    page:click "#link"
    page:click "#submit"
    assert.is_nil(page:eval "window.hacked")
    assert.is_true(page:eval "getComputedStyle(document.getElementById('styled')).color" ~= "rgb(1, 2, 3)")
    assert.is_true(page:eval "getComputedStyle(document.getElementById('styled')).color" ~= "rgb(4, 5, 6)")
    assert.is_true(#page.problems >= 5)
    for _, problem in ipairs(page.problems) do
      assert.matches("Content Security Policy", problem)
    end
    assert.equal(12, #shown(page)) -- its own script ran
  end)

  it("shows hostile words as text", function()
    local words = { "<script>window.hacked=1</script>", "\"><img src=x onerror=window.hacked=2>",
      "' onmouseover='hacked=3", "</style><script>window.hacked=4</script>", "]]><!--", "שלום עולם",
      "\u{202E}gnp.exe", ("x"):rep(10000), "a\0b\27c", "javascript:window.hacked=5", "&lt;b&gt;", "日本語" }
    local sweep = fixture.sweep(12, 1)
    for i, word in ipairs(words) do
      local trial = sweep.trials[i]
      trial.params = { cell = word, hidden = 4, lr = .01, [word] = word }
      trial.status, trial.error = i % 2 == 0 and word or trial.status, word
    end
    sweep.name, sweep.swept = words[1], { "cell", words[2], words[8] }
    local page = browser:open(write_page("hostile.html", sweep), 390)
    for i = 1, 12 do
      page:hover(('[data-trials] tr[data-trial="%d"] td:nth-child(2)'):format(i))
    end
    assert.is_nil(page:eval "window.hacked")
    assert.equal(words[1], page:eval "document.querySelector('h1').textContent")
    assert.equal(12, #shown(page))
    assert.equal("", sticking_out(page))
    assert.is_true(page:eval "document.documentElement.scrollWidth" <= 390)
    assert.same({}, page.problems)
    assert.equal(1, page:eval "document.scripts.length")
    if shots then page:picture(shots .. "/hostile-390-light.png") end
  end)

  it("finds cards in an index", function()
    local doc = document.new "Runs"
    local cards = {}
    for i = 1, 30 do
      cards[i] = { name = ("run-%d"):format(i), href = ("run-%d.html"):format(i), lines = { "finished" },
        spark = { { points = { { 1, i }, { 2, 1 } } } } }
    end
    doc:cards(cards)
    core.host.write_file(path "index.html", html.render(doc))
    local page = browser:open("file://" .. path "index.html", 390)
    page:type("[data-cards] input", "run-7")
    assert.equal(1, page:eval "document.querySelectorAll('.cards>li:not(.hid)').length")
    assert.equal("1 of 30", page:eval "document.querySelector('output').textContent")
    assert.is_true(page:eval "document.documentElement.scrollWidth" <= 390)
    assert.same({}, page.problems)
    if shots then page:picture(shots .. "/index-390-light.png") end
  end)
end)
