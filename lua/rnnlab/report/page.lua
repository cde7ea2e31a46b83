-- rnnlab.report.page owns what every page carries: its style and its script, as text that stands in the page and is
-- named by its hash in the page's content security policy.
local page = {}

-- What the colours of a figure (src/plot/style.c) are in the dark. White is left: it is text on something coloured.
local in_the_dark = {
  { "#111827", "var(--ink)" }, { "#000000", "var(--ink)" }, { "#374151", "var(--soft)" }, { "#4b5563", "var(--soft)" },
  { "#6b7280", "var(--muted)" }, { "#8a8f98", "var(--axis)" }, { "#e5e7eb", "var(--rule)" }, { "#2563eb", "#7fb0ff" },
  { "#dc2626", "#ff8f8f" }, { "#14b8a6", "#3fd6c5" }, { "#9d174d", "#f472b6" }, { "#059669", "#4fd1a1" },
  { "#7c3aed", "#b99bff" },
}

local function figure_colours()
  local rules = { ".fig [stroke=\"#ffffff\"]{stroke:var(--paper)}" }
  for _, pair in ipairs(in_the_dark) do
    for _, what in ipairs { "fill", "stroke", "color" } do
      rules[#rules + 1] = (".fig [%s=%q]{%s:%s}"):format(what, pair[1], what, pair[2])
    end
  end
  return table.concat(rules, "\n")
end

page.style = [[
:root{--paper:#fff;--card:#fff;--ink:#111827;--soft:#374151;--muted:#6b7280;--rule:#e5e7eb;--axis:#8a8f98;
--accent:#2563eb;
--wash:#f6f7f9;--good:#047857;--bad:#b91c1c;--mark:#fef3c7;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--paper:#0f1420;--card:#151b29;--ink:#e5e9f0;--soft:#c3cad6;--muted:#94a0b3;
--rule:#283142;--axis:#66728a;--accent:#7fb0ff;--wash:#161d2b;--good:#5fd0a0;--bad:#ff8f8f;--mark:#3d3517}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 Inter,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem 5rem}
h1{font-size:1.9rem;line-height:1.2;font-weight:600;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
.sub{color:var(--muted);margin:.35rem 0 0;overflow-wrap:anywhere}
h2{font-size:1.25rem;font-weight:600;letter-spacing:-.01em;margin:3rem 0 .75rem;overflow-wrap:anywhere}
h3{font-size:1.03rem;font-weight:600;margin:2rem 0 .5rem;overflow-wrap:anywhere}
p{margin:.6rem 0;max-width:46rem;overflow-wrap:anywhere}
a{color:var(--accent);text-decoration-thickness:1px;text-underline-offset:.15em}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
code,pre{font:.875em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{background:var(--wash);border:1px solid var(--rule);border-radius:6px;padding:.8rem 1rem;overflow-x:auto;
margin:.75rem 0;
unicode-bidi:isolate}
code,td,th,.cap,li{unicode-bidi:isolate}
details{margin:1.25rem 0}
summary{cursor:pointer;color:var(--soft)}
.note{border-left:3px solid var(--bad);padding:.4rem 0 .4rem .9rem;margin:1rem 0;max-width:none}
dl.facts{display:flex;flex-wrap:wrap;gap:.9rem 2.25rem;
margin:1.5rem 0 0;
padding:1rem 0;border-top:1px solid var(--rule);border-bottom:1px solid var(--rule)}
dl.facts div{min-width:0;max-width:min(100%,24rem)}
dl.facts dt{color:var(--muted);font-size:.8rem}
dl.facts dd{margin:.1rem 0 0;font-weight:500;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:.75rem 0 1.25rem}
.tall{max-height:34rem;overflow:auto;border-bottom:1px solid var(--rule)}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;min-width:min(100%,18rem)}
caption{caption-side:top;text-align:left;color:var(--muted);font-size:.85rem;padding:0 0 .45rem;max-width:46rem;
overflow-wrap:anywhere}
th,td{padding:.34rem .9rem .34rem 0;text-align:left;vertical-align:baseline;border-bottom:1px solid var(--rule);
max-width:34rem}
td.long{overflow-wrap:anywhere;min-width:11rem}
th{font-weight:600;color:var(--soft);white-space:nowrap;border-bottom:1px solid var(--axis)}
thead th{position:sticky;top:0;background:var(--paper)}
.r{text-align:right}
td.r{white-space:nowrap}
.num,th.r{white-space:nowrap}
.muted{color:var(--muted)}.good{color:var(--good)}.bad{color:var(--bad)}
td strong{font-weight:600}
th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer;text-align:inherit}
th button::after{content:"";display:inline-block;width:.75em;color:var(--accent)}
th[aria-sort=ascending] button::after{content:"↑"}
th[aria-sort=descending] button::after{content:"↓"}
.n{font-size:.78em;color:var(--muted)}
td .clip{display:inline-block;overflow-wrap:anywhere;max-width:20rem;max-height:6.2em;overflow:auto;vertical-align:top}
figure{margin:1.5rem 0 2.25rem}
figcaption{color:var(--muted);font-size:.88rem;margin-top:.5rem;max-width:46rem;overflow-wrap:anywhere}
.fig{overflow-x:auto}
.fig svg,.fig img{display:block;width:100%;min-width:34rem;max-width:56rem;height:auto}
.fig img{background:#fff;border-radius:4px}
.tools{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:end;margin:1rem 0 .25rem;font-size:.88rem}
.tools label{display:grid;gap:.2rem;color:var(--muted);font-size:.8rem}
.tools input,.tools select{font:inherit;font-size:.9rem;color:var(--ink);background:var(--card);
border:1px solid var(--axis);
border-radius:5px;padding:.35rem .55rem}
.tools input{width:min(22rem,80vw)}.tools select{max-width:min(22rem,80vw)}
.tools output{color:var(--muted);padding:.35rem 0}
.pick{font:inherit;color:var(--accent);background:none;border:0;padding:0;cursor:pointer}
tr.on td{background:var(--mark)}
tr.pinned td{background:var(--mark);font-weight:600}
.par svg{display:block;width:100%;min-width:40rem;height:auto;font-size:11px}
.par text{fill:var(--soft);paint-order:stroke;stroke:var(--paper);stroke-width:3px}.par .tic{fill:var(--muted);
font-size:9.5px}
.par .ax{stroke:var(--axis);stroke-width:1}
.par .ln{fill:none;stroke-width:1.1;stroke-opacity:.5;stroke-linejoin:round}
.par .ln.on,.par .ln.pinned{stroke-width:3;stroke-opacity:1;stroke:var(--ink)!important}
.par .off{display:none}
.q0{stroke:#2563eb}.q1{stroke:#0e9aa7}.q2{stroke:#8aa63a}.q3{stroke:#d99a2b}.q4{stroke:#c2556b}.qx{stroke:#9ca3af}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1rem;color:var(--muted);font-size:.8rem;margin-top:.2rem}
.key svg{width:1.4rem;min-width:0;height:.6rem;display:inline-block;margin-right:.35rem;vertical-align:middle}
.key line{stroke-width:2.5}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem;margin:1.25rem 0;
padding:0;list-style:none}
.cards li{border:1px solid var(--rule);border-radius:8px;background:var(--card);padding:.8rem .9rem;min-width:0}
.cards a{font-weight:600;text-decoration:none;overflow-wrap:anywhere}
.cards a:hover{text-decoration:underline}
.cards p{margin:.15rem 0;font-size:.85rem;color:var(--muted)}
.spark{display:block;width:100%;height:auto;margin:.35rem 0}
.spark path{fill:none;stroke:var(--accent);stroke-width:1.4;vector-effect:non-scaling-stroke}
.spark .two{stroke:#d97706}.spark .dot{fill:var(--axis);stroke:none}
.spark .base{stroke:var(--rule);stroke-width:1}
.hid{display:none!important}
@media (prefers-color-scheme:dark){
FIGURE_COLOURS
.q0{stroke:#7fb0ff}.q1{stroke:#3cc4cf}}
@media (max-width:40rem){main{padding:1.5rem 1rem 3rem}h1{font-size:1.5rem}h2{margin-top:2.25rem}
th,td{padding-right:.7rem}dl.facts{gap:.8rem 1.5rem}}
@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--soft:#222;--muted:#555;--rule:#ccc;--axis:#888;
--wash:#fff;--mark:#fff}
body{font-size:10pt}main{max-width:none;padding:0}.tools{display:none}
.tall,.scroll,.fig{max-height:none;overflow:visible}.fig svg,.par svg{min-width:0}
thead th{position:static}thead{display:table-header-group;break-inside:avoid}tr,figure{break-inside:avoid}h2,h3{
break-after:avoid}
pre{white-space:pre-wrap;overflow-wrap:anywhere}th,td{white-space:normal}td.r{white-space:nowrap}a{color:inherit}
details>:not(summary){display:block}}
]]

page.style = page.style:gsub("FIGURE_COLOURS", figure_colours)

page.script = [[
(function(){"use strict";
var each=function(list,f){Array.prototype.forEach.call(list,f)};
function value(row,k){var c=row.cells[k];var s=c.getAttribute("data-sort");
  if(s===null)return c.textContent.trim();var n=parseFloat(s);return s!==""&&isFinite(n)?n:(s===""?null:s)}
function compare(a,b){
  if(a===null||b===null)return a===b?0:(a===null?1:-1);
  if(typeof a==="number"&&typeof b==="number")return a-b;
  if(typeof a==="number")return -1;if(typeof b==="number")return 1;
  return a.localeCompare(b,undefined,{numeric:true})}
each(document.querySelectorAll("table.sort"),function(table){
  var body=table.tBodies[0],heads=table.tHead.rows[0].cells;
  each(heads,function(th,k){
    var button=th.querySelector("button");if(!button)return;
    button.addEventListener("click",function(){
      var down=th.getAttribute("aria-sort")==="ascending";
      each(heads,function(other){other.removeAttribute("aria-sort")});
      th.setAttribute("aria-sort",down?"descending":"ascending");
      var rows=Array.prototype.slice.call(body.rows).map(function(row,i){return{row:row,v:value(row,k),i:i}});
      rows.sort(function(a,b){
        if(a.v===null||b.v===null)return compare(a.v,b.v)||a.i-b.i;
        return(down?-1:1)*compare(a.v,b.v)||a.i-b.i});
      var all=document.createDocumentFragment();
      rows.forEach(function(r){all.appendChild(r.row)});body.appendChild(all);
    });
  });
});
each(document.querySelectorAll("[data-trials]"),function(box){
  var table=box.querySelector("table"),lines={},rows={},words=box.querySelector("input"),
    status=box.querySelector("select"),count=box.querySelector("output"),names=[];
  each(table.tHead.rows[0].cells,function(th){names.push(th.textContent.trim().toLowerCase())});
  each(box.querySelectorAll("path[data-trial]"),function(l){lines[l.getAttribute("data-trial")]=l});
  each(table.tBodies[0].rows,function(r){rows[r.getAttribute("data-trial")]=r});
  function mark(id,name,on){
    if(rows[id])rows[id].classList.toggle(name,on);
    if(lines[id]){lines[id].classList.toggle(name,on);if(on)lines[id].parentNode.appendChild(lines[id])}}
  function owner(event){var t=event.target.closest("[data-trial]");
return t&&box.contains(t)?t.getAttribute("data-trial"):null}
  box.addEventListener("mouseover",function(e){var id=owner(e);if(id!==null)mark(id,"on",true)});
  box.addEventListener("mouseout",function(e){var id=owner(e);if(id!==null)mark(id,"on",false)});
  box.addEventListener("focusin",function(e){var id=owner(e);if(id!==null)mark(id,"on",true)});
  box.addEventListener("focusout",function(e){var id=owner(e);if(id!==null)mark(id,"on",false)});
  box.addEventListener("click",function(e){var id=owner(e);if(id===null)return;
    var on=!(rows[id]&&rows[id].classList.contains("pinned"));mark(id,"pinned",on);
    var pick=rows[id]&&rows[id].querySelector(".pick");if(pick)pick.setAttribute("aria-pressed",on?"true":"false");
    if(on&&e.target.closest("path")&&rows[id])rows[id].scrollIntoView({block:"nearest"})});
  function test(row,term){
    var m=/^([^<>=:]+)(<=|>=|<|>|=|:)(.*)$/.exec(term),k=m?names.indexOf(m[1].toLowerCase()):-1;
    if(k<0)return row.textContent.toLowerCase().indexOf(term.toLowerCase())>=0;
    var v=value(row,k),n=parseFloat(m[3]),s=row.cells[k].textContent.trim().toLowerCase(),w=m[3].toLowerCase();
    if(m[2]===":")return s.indexOf(w)>=0;
    if(m[2]==="=")return s===w||(typeof v==="number"&&v===n);
    if(typeof v!=="number"||isNaN(n))return false;
    return m[2]==="<"?v<n:m[2]===">"?v>n:m[2]==="<="?v<=n:v>=n}
  function filter(){
    var terms=words.value.trim().split(/\s+/).filter(function(t){return t!==""}),want=status?status.value:"",
shown=0,all=0;
    Object.keys(rows).forEach(function(id){
      var row=rows[id],on=(want===""||row.getAttribute("data-status")===want)&&terms.every(function(t){
return test(row,t)});
      row.classList.toggle("hid",!on);if(lines[id])lines[id].classList.toggle("off",!on);all++;if(on)shown++});
    count.textContent=shown===all?all+" trials":shown+" of "+all+" trials"}
  words.addEventListener("input",filter);if(status)status.addEventListener("change",filter);filter();
});
each(document.querySelectorAll("[data-cards]"),function(box){
  var words=box.querySelector("input"),count=box.querySelector("output"),cards=box.querySelectorAll(".cards>li");
  function filter(){
    var terms=words.value.toLowerCase().trim().split(/\s+/),shown=0;
    each(cards,function(card){
      var text=card.textContent.toLowerCase(),on=terms.every(function(t){return text.indexOf(t)>=0});
      card.classList.toggle("hid",!on);if(on)shown++});
    count.textContent=shown===cards.length?String(shown):shown+" of "+cards.length}
  words.addEventListener("input",filter);filter();
});
})();
]]

return page
