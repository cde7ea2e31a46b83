-- rnnlab report: from stored runs to files.
local cli = require "helper"

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { epochs = 20, lr = r.real(.01, 1e-4, 10), note = r.text "" },
  data = function(p, rng)
    local x = rng:uniform(4, 12, 2)
    return { train = { x = x, y = x * 2 } }
  end,
  model = function(p) return r.rnn("elman", 2, 3, 2) end,
  loss = "sse",
  %s
}
]]

local function write_script(own)
  cli.write(cli.dir .. "/s.lua", (script:gsub("%%s", function() return own or "" end)))
end

local function file(name) return cli.read(cli.dir .. "/" .. name) end

local function reports(words, code)
  local got = cli.run("report " .. words)
  assert.equal(code or 0, got.code, got.err)
  return got
end

describe("rnnlab report", function()
  before_each(function()
    cli.fresh()
    write_script()
  end)
  after_each(cli.clean)

  it("writes one run in each format, with its figures", function()
    assert.equal(0, cli.run("run s.lua").code)
    assert.equal("r.html\n", reports("last -o r.html").out)
    local page = file "r.html"
    assert.matches("^<!doctype html>", page)
    assert.equal(2, select(2, page:gsub("<figure>", "")))
    assert.equal(2, select(2, page:gsub("<svg viewBox", "")))
    assert.is_nil(page:find "src=\"[^d]")
    assert.matches("rnnlab run s.lua epochs=20 lr=0.01 note= seed=1", page)
    reports "s-1 -o r.md"
    assert.matches("!%[[^%]]+%]%(r_figures/s%-1%-loss.svg%)", file "r.md")
    assert.matches("^<%?xml", file "r_figures/s-1-loss.svg")
    reports "s-1 -o r.tex"
    assert.matches("\\includegraphics%[[^%]]+%]{r_figures/s%-1%-loss.pdf}", file "r.tex")
    assert.matches("\\toprule.-\\midrule.-\\bottomrule", file "r.tex")
    assert.matches("^%%PDF", file "r_figures/s-1-loss.pdf")
    local left = cli.shell("cd " .. cli.quote(cli.dir) .. " && ls -A")
    assert.equal("r.html\nr.md\nr.tex\nr_figures\nresults\ns.lua", left) -- nothing passing stays
  end)

  it("puts seeds together, shows what differs and counts what did not finish", function()
    for seed = 1, 3 do
      assert.equal(0, cli.run("run s.lua --no-plot seed=" .. seed).code)
    end
    assert.equal(0, cli.run("run s.lua --no-plot lr=0.02").code)
    cli.run "run s.lua --no-plot lr=0.01 note=x epochs=0"
    write_script "optimizer = function(p) return { kind = 'sgd', lr = 1e30 } end,"
    assert.equal(1, cli.run("run s.lua --no-plot epochs=50").code)
    local runs = cli.json(cli.run("ls --json").out)
    local names = {}
    for i, run in ipairs(runs) do
      names[i] = run.run
    end
    reports(table.concat(names, " ") .. " -o r.md")
    local page = file "r.md"
    assert.matches("%d finished and 1 diverged", page)
    assert.matches("Runs that did not finish", page)
    assert.matches("s%-%d+`? *| diverged | *%d+ | the loss was no longer finite in epoch %d+", page)
    assert.matches("|[^\n]*lr[^\n]*runs", page)
    assert.matches("%*%*0.02%*%*", page)
    assert.matches(" ± ", page)
    local numbers = {}
    for i = 1, 3 do
      numbers[i] = runs[i].metrics.loss
    end
    local mean = (numbers[1] + numbers[2] + numbers[3]) / 3
    assert.is_truthy(page:find(("%.2g"):format(mean):sub(1, 3), 1, true))
    -- figures that were not drawn then are drawn now
    assert.matches("s%-1%-loss.svg", page)
    assert.matches("comparison.svg", page)
  end)

  it("has the script's own sections, figures and captions", function()
    write_script [[report = function(q)
      q:caption("loss", "My own caption.")
      q:section("What I saw"):text("The loss fell to ", { number = q.run.metrics.loss }, " with ", { code = "lr" }, ".")
      q:list { "one", 2 }
      q:table { columns = { "epoch", "loss" }, rows = { { 1, q.run.history().loss[1] } }, caption = "First." }
      q:figure({ title = "Losses", panels = { { series = { { y = q.run.history().loss } } } } }, "Drawn here.")
      q:code("x = 1", "lua")
    end,]]
    assert.equal(0, cli.run("run s.lua").code)
    os.remove(cli.dir .. "/s.lua") -- the run has its own copy
    for _, ending in ipairs { "html", "md", "tex" } do
      reports("last -o r." .. ending)
      local page = file("r." .. ending)
      for _, words in ipairs { "What I saw", "My own caption.", "Drawn here.", "The loss fell to", "First." } do
        assert.is_truthy(page:find(words, 1, true), ending .. ": " .. words)
      end
    end
    assert.matches("own%-1%-figure.svg", file "r.md")
    assert.equal(3, select(2, file("r.html"):gsub("<figure>", "")))
  end)

  it("names the script's line where its own part fails, and keeps the rest", function()
    write_script "report = function(q)\n q:section 'Before'\n q:text(q.run.metrics.nothing.at)\n end,"
    assert.equal(0, cli.run("run s.lua").code)
    local got = reports("last -o r.html", 1)
    assert.matches("results/s%-1/script.lua:12: ", got.err)
    assert.matches("r.html", got.err)
    local page = file "r.html"
    assert.matches("Before", page)
    assert.matches("own part of this report stopped here", page)
    assert.matches("How to run it again", page)
    for own, pattern in pairs {
      ["report = function(q) q:table { columns = {}, rows = {} } end,"] = "script.lua:10: table: there is no column",
      ["report = function(q) q:figure { panels = {} } end,"] = "script.lua:10: .*panel",
      ["report = function(q) q:text(q) end,"] = "script.lua:10: ",
      ["report = function(q) os.execute 'touch evil' end,"] = "script.lua:10: os.execute",
      ["report = function(q) io.open('evil', 'w') end,"] = "script.lua:10: ",
      ["report = function(q) q.run.status.x.y = 1 end,"] = "script.lua:10: ",
    } do
      write_script(own)
      assert.equal(0, cli.run("run s.lua").code)
      assert.matches(pattern, reports("last -o r.md", 1).err)
    end
    assert.is_false(cli.exists(cli.dir .. "/evil"))
  end)

  it("is the same bytes each time", function()
    assert.equal(0, cli.run("run s.lua").code)
    reports "last -o a.html"
    reports "last -o b.html"
    assert.equal(file "a.html", file "b.html")
  end)

  it("keeps a note's text a text", function()
    local note = [[<script>alert(1)</script> `x` $(touch evil) \input{x} | "q" 'q']]
    assert.equal(0, cli.run({ "run", "s.lua", "--no-plot", "note=" .. note }).code)
    reports "last -o r.html"
    assert.equal(1, select(2, file("r.html"):gsub("<script", "")))
    assert.is_truthy(file("r.html"):find("&lt;script&gt;alert(1)&lt;/script&gt;", 1, true))
    reports "last -o r.tex"
    assert.is_nil(file("r.tex"):find("\\input{", 1, true))
    reports "last -o r.md"
    assert.matches("&lt;script&gt;", file "r.md")
    assert.is_false(cli.exists(cli.dir .. "/evil"))
  end)

  it("keeps a strange file name out of LaTeX's way", function()
    assert.equal(0, cli.run("run s.lua").code)
    local got = cli.run { "report", "last", "-o", "50% of #1 & {x}.tex" }
    assert.equal(0, got.code, got.err)
    assert.matches("{50%-of%-1%-x_figures/s%-1%-loss.pdf}", file "50% of #1 & {x}.tex")
    assert.matches("^%%PDF", file "50-of-1-x_figures/s-1-loss.pdf")
  end)

  it("says what is wrong", function()
    assert.equal(0, cli.run("run s.lua --no-plot").code)
    local function fails(words, code, pattern)
      local got = reports(words, code)
      assert.matches(pattern, got.err)
      assert.equal(1, select(2, got.err:gsub("\n", "")))
    end
    fails("last", 2, "report needs %-o")
    fails("-o r.html", 2, "which runs%?")
    fails("last -o r.docx", 2, "r.docx: a report ends in .html, .md, .tex or .pdf")
    fails("last -o results", 2, "a report ends in")
    fails("nowhere -o r.html", 2, "nowhere")
    fails("last -o no/such/folder/r.html", 1, "no/such/folder")
    fails("last --all -o site", 2, "one word too many")
    fails("last -o r.html --trust", 2, "%-%-trust")
    assert.is_false(cli.exists(cli.dir .. "/r.html"))
  end)

  it("prints JSON", function()
    assert.equal(0, cli.run("run s.lua --no-plot").code)
    local object = cli.json(reports("last -o r.md --json").out)
    assert.same({ report = "r.md", format = "md", runs = { "s-1" }, problems = {} }, object)
  end)

  it("tells how to get a PDF where there is no lualatex", function()
    assert.equal(0, cli.run("run s.lua").code)
    local got = cli.run("report last -o r.pdf", { PATH = "/nowhere" })
    assert.equal(1, got.code)
    assert.matches("lualatex, which was not found; install texlive%-luatex", got.err)
    assert.is_false(cli.exists(cli.dir .. "/r.pdf"))
    assert.equal("results\ns.lua", (cli.shell("cd " .. cli.quote(cli.dir) .. " && ls -A")))
  end)
end)

describe("rnnlab report --all", function()
  before_each(function()
    cli.fresh()
    write_script()
    assert.equal(0, cli.run("run s.lua").code)
    assert.equal(0, cli.run("run s.lua --no-plot seed=2").code)
  end)
  after_each(cli.clean)

  it("writes an index with a page for each run, and again only what has changed", function()
    assert.equal("site/index.html: 2 runs, 2 written\n", reports("--all -o site/").out)
    local index = file "site/index.html"
    for _, name in ipairs { "s-1", "s-2" } do
      assert.is_truthy(index:find(('<a href="%s.html">%s</a>'):format(name, name), 1, true))
      assert.matches("<!doctype html>", file("site/" .. name .. ".html"))
    end
    assert.equal(2, select(2, index:gsub('class="spark"', "")))
    assert.equal("site/index.html: 2 runs, 0 written\n", reports("--all -o site").out)
    assert.equal(index, file "site/index.html")
    assert.equal(0, cli.run("run s.lua --no-plot seed=3").code)
    assert.equal("site/index.html: 3 runs, 1 written\n", reports("--all -o site").out)
    cli.shell("rm -rf " .. cli.quote(cli.dir .. "/results/s-1"))
    assert.equal("site/index.html: 2 runs, 0 written\n", reports("--all -o site").out)
    assert.is_nil(file "site/s-1.html")
    assert.equal("results\ns.lua\nsite", (cli.shell("cd " .. cli.quote(cli.dir) .. " && ls -A")))
  end)

  it("leaves a folder alone that is not its own, and survives a spoilt record", function()
    cli.shell("mkdir " .. cli.quote(cli.dir .. "/mine"))
    cli.write(cli.dir .. "/mine/index.html", "<h1>mine</h1>")
    assert.matches("index.html is not one of rnnlab's", reports("--all -o mine", 2).err)
    assert.equal("<h1>mine</h1>", file "mine/index.html")
    assert.matches("is a file", reports("--all -o s.lua", 2).err)
    reports "--all -o site"
    cli.write(cli.dir .. "/precious.html", "mine")
    cli.write(cli.dir .. "/site/rnnlab-site.json", [[{"pages": {"../precious": {}, "s-1": [1], "s-2": {"loss": 5}}}]])
    assert.equal("site/index.html: 2 runs, 2 written\n", reports("--all -o site").out)
    assert.equal("mine", file "precious.html")
    cli.write(cli.dir .. "/site/rnnlab-site.json", "no JSON")
    assert.equal("site/index.html: 2 runs, 2 written\n", reports("--all -o site").out)
  end)
end)

describe("rnnlab report of a sweep", function()
  before_each(function()
    cli.fresh()
    write_script [[report = function(q)
      q:section("Mine"):text("best of ", #q.sweep.trials, " trials: ", q.run.metrics.loss, ", epochs ",
        q.params.epochs)
    end,]]
    local got = cli.run "sweep s.lua lr=0.001,0.01,0.1 --repeats 2 --quiet"
    assert.equal(0, got.code, got.err)
  end)
  after_each(cli.clean)

  it("ranks over repeats, tells how to run it again, and has every trial", function()
    reports "s-sweep-1 -o r.md"
    local page = file "r.md"
    for _, words in ipairs { "## Best configuration", "## Ranking", " ± ", "6 finished", "best of 6 trials",
      ", epochs 20",
      "rnnlab sweep s.lua lr=0.001,0.01,0.1 --sampler grid --trials 3 --repeats 2", "seeds            | 1 and 2" } do
      assert.is_truthy(page:find(words, 1, true), words)
    end
    local rows = 0
    for _ in page:gmatch "\n| +%d+ | +%d+ | finished +|" do
      rows = rows + 1
    end
    assert.equal(6, rows)
    reports "s-sw -o r.html"
    assert.equal(6, select(2, file("r.html"):gsub('<tr data%-trial="', "")))
    assert.equal(6, select(2, file("r.html"):gsub('<path class="ln ', "")))
    reports "last -o r.tex" -- the sweep is what was started last
    assert.matches("Best configuration", file "r.tex")
  end)

  it("is that of the tutorial, with the script's own sections", function()
    local own = cli.root .. "/scripts/report_tutorial8.lua"
    for seed = 1, 2 do
      assert.equal(0, cli.run({ "run", own, "epochs=40", "--no-plot", "seed=" .. seed }).code)
    end
    reports "tutorial8-1 tutorial8-2 -o t.md"
    for _, words in ipairs { "## The task", "## What is left", "own-1-residuals", "All 2 runs finished.",
      "loss of 0.02." } do
      assert.is_truthy(file("t.md"):find(words, 1, true), words)
    end
  end)

  it("stands beside runs and other sweeps, and in the index", function()
    assert.equal(0, cli.run("run s.lua --no-plot").code)
    assert.equal(0, cli.run("sweep s.lua lr=0.02,0.2 --quiet").code)
    reports("s-sweep-1 s-sweep-2 s-1 -o r.md", 1) -- the run's script asks for r.sweep
    local page = file "r.md"
    assert.matches("The sweeps, with the best configuration of each", page)
    assert.matches("\n## s%-sweep%-1\n.*\n## s%-sweep%-2\n.*\n## s%-1\n", page)
    assert.matches("own part of this report stopped here", page)
    local got = reports("--all -o site", 1)
    assert.equal("site/index.html: 1 run and 2 sweeps, 3 written\n", got.out)
    local index = file "site/index.html"
    assert.is_truthy(index:find('<a href="s-sweep-1.html">s-sweep-1</a>', 1, true))
    assert.is_truthy(index:find('class="dot"', 1, true))
    assert.equal("site/index.html: 1 run and 2 sweeps, 0 written\n", reports("--all -o site", 1).out)
    reports("s -o r.md", 2)
  end)
end)
