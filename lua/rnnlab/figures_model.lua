-- rnnlab.figures_model owns the figures of what is inside a trained network: states and gates over a sequence, weights,
-- eigenvalues of the recurrent matrices, the states' principal components. Each takes tables and tensors and gives a
-- figure (figure.lua), or nil and why there is none.
local figure = require "rnnlab.figure"
local text = require "rnnlab.text"

local model = {}

local LINES = 6 -- so many units are drawn as lines, more as a heat map

--- What the figures of a network are made from.
---@class rnnlab.figures_model.run
---@field title string
---@field sequence? integer which one the states are of
---@field layers? { name: string?, kind: string?, hidden: integer?, states: table<string, rnnlab.Tensor> }[] states
--- are (time, size)
---@field paths? rnnlab.Tensor[] the states of every layer over all sequences, (batch, time, size)
---@field weights? table<string, rnnlab.Tensor>
---@field spectra? table[] as r.analysis.spectrum gives them for a network
---@field fixed_points? { kind: string, h: rnnlab.Tensor }[] of the first layer, at zero input

local gate_names = { lstm = { "input gate", "forget gate", "candidate", "output gate" },
  gru = { "reset gate", "update gate", "candidate" } }
gate_names.lstm_peephole, gate_names.lstm_layernorm = gate_names.lstm, gate_names.lstm
gate_names.gru_original = gate_names.gru

-- "hidden state", with the layer's name where there are several
local function said(layer, what, several, i)
  return several and ("layer %s, %s"):format(layer.name or i, what) or what
end

local function title_of(run)
  return run.sequence and ("%s · sequence %d"):format(run.title, run.sequence) or run.title
end

-- A panel with (time, size) values: lines for few units, else units from the top, time to the right.
local function over_time(f, name, values, symmetric)
  local steps, size = values:size(1), values:size(2)
  if size <= LINES then
    local panel = f:panel { ylabel = name }
    for unit = 1, size do
      panel:line(values:select(2, unit), nil, { label = ("unit %d"):format(unit), color = unit })
    end
    return
  end
  local most = math.max(values:max():item(), -values:min():item())
  f:panel { title = name, ylabel = "unit" }:heat(values:t(), { x = { .5, steps + .5 }, y = { .5, size + .5 },
    first = "top", map = symmetric and "diverging" or "sequential",
    color_range = symmetric and { -most, most } or { 0, 1 } })
end

--- Hidden states (and cells) of every layer over one sequence.
---@param run rnnlab.figures_model.run
function model.states(run)
  if not run.layers or #run.layers == 0 then return nil, "the network has no recurrent layer" end
  local f = figure.new { title = title_of(run), subtitle = "states over time", xlabel = "time step t" }
  local several = #run.layers > 1
  for i, layer in ipairs(run.layers) do
    if i > 8 then break end
    for _, entry in ipairs { { "h", "hidden state" }, { "c", "cell state" } } do
      local values = layer.states[entry[1]]
      if values then over_time(f, said(layer, entry[2], several, i), values, true) end
    end
  end
  return f
end

--- The gates of every layer that has some, over one sequence.
---@param run rnnlab.figures_model.run
function model.gates(run)
  local f = figure.new { title = title_of(run), subtitle = "gates over time", xlabel = "time step t" }
  local drawn, several = 0, run.layers and #run.layers > 1
  for i, layer in ipairs(run.layers or {}) do
    local gates, names = layer.states.gates, gate_names[layer.kind]
    local size = layer.hidden
    if gates and size and gates:size(2) % size == 0 and drawn < 12 then
      for k = 1, gates:size(2) // size do
        local name = names and names[k] or ("gate %d"):format(k)
        local values = gates:narrow(2, (k - 1) * size + 1, size)
        over_time(f, said(layer, name, several, i), values, values:min():item() < 0)
        drawn = drawn + 1
      end
    end
  end
  if drawn == 0 then return nil, "no layer of this network has gates" end
  return f
end

--- The weight matrices, all on one scale.
---@param run rnnlab.figures_model.run
function model.weights(run)
  local names, most = {}, 0
  for _, name in ipairs(text.sorted_keys(run.weights or {})) do
    local weight = run.weights[name]
    if weight:dim() == 2 and weight:numel() > 1 then
      names[#names + 1] = name
      most = math.max(most, weight:max():item(), -weight:min():item())
    end
  end
  if #names == 0 then return nil, "the run has no weight matrix" end
  local shown = math.min(#names, 16)
  local f = figure.new { title = run.title, columns = shown > 1 and 2 or 1, share_x = false,
    subtitle = shown < #names and ("the first %d of %d weight matrices, rows to columns"):format(shown, #names)
      or "weight matrices, rows to columns" }
  for i = 1, shown do
    local weight = run.weights[names[i]]
    f:panel { title = ("%s %s"):format(names[i], text.shape(weight:size())) }:heat(weight, { map = "diverging",
      color_range = { -most, most }, values = weight:numel() <= 40 })
  end
  return f
end

local letters = { i = "input gate", f = "forget gate", g = "candidate", o = "output gate", r = "reset gate",
  z = "update gate", n = "candidate" }

-- "forget gate" of "weight_hh.f", with the layer's name where there are several
local function matrix_name(entry, several)
  local base, letter = entry.matrix:match "^(.*)%.(%a)$"
  local name = base == "weight_hh" and letters[letter] or entry.matrix
  return several and ("layer %s, %s"):format(entry.layer, name) or name
end

--- The eigenvalues of what is fed back, gate by gate, and the unit circle.
---@param run rnnlab.figures_model.run
function model.spectrum(run)
  local spectra = run.spectra or {}
  if #spectra == 0 then return nil, "the network has no recurrent matrix" end
  local several = false
  for _, entry in ipairs(spectra) do
    several = several or entry.layer ~= spectra[1].layer
  end
  local one = #spectra == 1 and ("%s, spectral radius %s"):format(matrix_name(spectra[1], several),
    text.significant(spectra[1].radius, 3))
  local f = figure.new { title = run.title, width = 120, height = 105, xlabel = "real part", ylabel = "imaginary part",
    subtitle = one or "eigenvalues, and spectral radius ρ, of each recurrent matrix" }
  f:unit_circle():hline(0, { dash = "none", color = "muted" }):vline(0, { dash = "none", color = "muted" })
  for i = 1, math.min(#spectra, 12) do
    local entry = spectra[i]
    f:points(entry.re, entry.im, { scale = 1.5,
      label = ("%s, ρ %s"):format(matrix_name(entry, several), text.significant(entry.radius, 3)) })
  end
  return f
end

--- The way of a sequence through the plane of the states' first two principal components, among those of all
--- sequences, with the fixed points where those were found.
---@param run rnnlab.figures_model.run
function model.pca(run)
  local paths = run.paths and run.paths[1]
  if not paths then return nil, "the network has no recurrent layer" end
  local batch, steps, size = paths:size(1), paths:size(2), paths:size(3)
  if size < 2 then return nil, "one unit has no plane of components" end
  if batch * steps < 3 then return nil, "so few states have no principal components" end
  local pca = require("rnnlab.analysis").pca(paths, { components = 2 })
  local flat, shares = pca.projections, pca.ratio:tolist()
  local f = figure.new { title = title_of(run), width = 130, height = 100, color_label = "time step t", equal = true,
    subtitle = ("principal components of the hidden states: %.0f %% and %.0f %% of the variance"):format(
      100 * shares[1], 100 * shares[2]),
    xlabel = "first component", ylabel = "second component" }
  local shown = run.sequence or 1
  local others_x, others_y = {}, {}
  for i = 1, math.min(batch, 50) do
    if i ~= shown then
      local x, y = flat:select(1, i):select(2, 1):tolist(), flat:select(1, i):select(2, 2):tolist()
      for t = 1, steps do
        others_x[#others_x + 1], others_y[#others_y + 1] = x[t], y[t]
      end
      others_x[#others_x + 1], others_y[#others_y + 1] = 0 / 0, 0 / 0
    end
  end
  if #others_x > 0 then
    f:line(others_x, others_y, { color = "muted", label = batch > 2 and "other sequences" or "the other sequence" })
  end
  local own = flat:select(1, shown)
  local time = {}
  for t = 1, steps do
    time[t] = t
  end
  f:line(own:select(2, 1), own:select(2, 2), { color = time, scale = 1.2, marks = steps <= 100 or nil })
  for _, stable in ipairs { true, false } do
    local x, y = {}, {}
    for _, point in ipairs(run.fixed_points or {}) do
      if (point.kind == "stable") == stable then
        local place = pca.components:mm((point.h:double() - pca.mean):unsqueeze(2)):squeeze(2):tolist()
        x[#x + 1], y[#y + 1] = place[1], place[2]
      end
    end
    if #x > 0 then
      f:points(x, y, { color = stable and "target" or "red", scale = 2.4,
        label = stable and "stable fixed point" or "other fixed points" })
    end
  end
  return f
end

model.kinds = { "states", "weights", "gates", "spectrum", "pca" }

return model
