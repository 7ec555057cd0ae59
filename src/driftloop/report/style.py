"""Style: the page's colours and layout, light and dark, wide, narrow and on paper.

Colours are Okabe and Ito's, told apart with any colour vision; blue to orange carries effect /
threshold, with the change of hue where the threshold lies.
"""

LIGHT = """
--ink:#1a1f24;--soft:#56616c;--line:#d8dde2;--paper:#fff;--panel:#f6f8fa;
--accent:#0072b2;--green:#007a5a;--orange:#b86e00;--red:#c04a00;--purple:#a33a7c;
--model-0:#e9f1f8;--model-1:#f7f2e6;--strip-0:#c9dff0;--strip-1:#eddfb9;--void:#f1f2f4;
--initial:#8a949e;--drift:#d55e00;--staleness:#4ba3d9;--growth:#009e73;--manual:#c9b400;
--heat-0:#eaf1f8;--heat-1:#c6dcef;--heat-2:#93bfe2;--heat-3:#4f97cf;
--heat-4:#fdc877;--heat-5:#f59a2c;--heat-6:#da6a00;--heat-7:#963900;
"""

DARK = """
--ink:#e7eaed;--soft:#a0abb6;--line:#363e47;--paper:#13171b;--panel:#1b2026;
--accent:#56b4e9;--green:#2fc79a;--orange:#e69f00;--red:#ff8a3d;--purple:#e08fc0;
--model-0:#192430;--model-1:#26221a;--strip-0:#274661;--strip-1:#534524;--void:#1d2126;
--initial:#87919b;--drift:#e8712a;--staleness:#56b4e9;--growth:#22b688;--manual:#e5d64a;
--heat-0:#1c2731;--heat-1:#22415f;--heat-2:#2c6699;--heat-3:#4b9bd6;
--heat-4:#8c4d0c;--heat-5:#c66e0d;--heat-6:#f29b3a;--heat-7:#ffd795;
"""

LAYOUT = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--ink);
background:var(--paper);max-width:1112px;margin:0 auto;padding:28px 36px 64px}
h1{margin:0;font-size:27px;line-height:1.2}h2{margin:40px 0 6px;font-size:19px}
p{margin:4px 0 10px;max-width:80ch}.lead,.empty{color:var(--soft)}.empty{font-style:italic}
ul{margin:4px 0;padding-left:20px;max-width:80ch}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(158px,1fr));gap:10px 20px;
margin:16px 0 0;padding:14px 16px;background:var(--panel);border-radius:8px}
.facts div{min-width:0}.facts dt{color:var(--soft);font-size:12.5px}
.facts dd{margin:0;font-weight:600;overflow-wrap:anywhere}.facts .long{grid-column:span 2}
figure{margin:8px 0 0}svg{display:block;width:100%;height:auto}.slim{display:none}
figcaption{color:var(--soft);font-size:13.5px;margin:2px 0 8px;max-width:100ch}
.key{white-space:nowrap;margin-right:12px}
.key i{display:inline-block;width:16px;height:11px;margin-right:4px;border-radius:1px}
.key svg{display:inline-block;width:14px;height:14px;vertical-align:-2px;margin-right:2px}
.key i.fired{border:1.5px solid var(--ink)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;margin-top:8px}
th,td{text-align:left;vertical-align:top;padding:6px 14px 6px 0;
border-bottom:1px solid var(--line);overflow-wrap:break-word}
th{color:var(--soft);font-weight:500;font-size:13px;vertical-align:bottom}
th:last-child,td:last-child{padding-right:0}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td p{margin:0 0 4px}.stacked td:nth-child(-n+2),.keep{white-space:nowrap}
.five td:first-child{white-space:nowrap}.five td:nth-child(2){font-size:18px;font-weight:600;
line-height:1.25;white-space:nowrap}
.verdict{font-weight:600}.verdict.promoted{color:var(--green)}.verdict.held{color:var(--orange)}
.verdict.rejected,.verdict.failed{color:var(--red)}
summary{cursor:pointer;color:var(--accent)}
"""

PLOTS = """
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif}
.label{fill:var(--soft)}.name{fill:var(--ink)}.head{fill:var(--ink);font-weight:600}
.halo{fill:var(--soft);paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.inside{fill:#fff;font-weight:600}.strip-name{fill:var(--ink);font-size:11px}
.smooth-name{fill:var(--accent);font-weight:700;font-size:13px}
.grid{stroke:var(--line);stroke-width:.8}
.band.model-0{fill:var(--model-0)}.band.model-1{fill:var(--model-1)}
.strip.model-0{fill:var(--strip-0)}.strip.model-1{fill:var(--strip-1)}
.promotion{stroke:var(--soft);stroke-width:1}
.broken{fill:var(--purple);fill-opacity:.22}
.raw{fill:var(--accent);fill-opacity:.38}.raw.outside{fill:none;stroke:var(--accent)}
.smooth{fill:none;stroke:var(--accent);stroke-width:2.2;stroke-linejoin:round}
.edge{stroke-width:1;stroke-dasharray:4 3}
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr));gap:8px 24px}
.guide{stroke-width:1.1;stroke-dasharray:3 3;stroke:var(--soft)}
.guide.held{stroke:var(--orange)}.guide.rejected,.guide.failed{stroke:var(--red)}
.guide.fault{stroke:var(--purple)}
.way{fill:none;stroke:var(--soft);stroke-width:1.6}.way.back{stroke:var(--orange);stroke-width:2.2}
.turn{fill:var(--accent)}.turn.back{fill:var(--orange)}
.glyph{stroke:var(--paper);stroke-width:1;fill:var(--soft)}
.glyph.held{fill:var(--orange)}.glyph.fault{fill:var(--purple)}.glyph.change{fill:var(--ink)}
.glyph.rejected,.glyph.failed{fill:none;stroke:var(--red);stroke-width:2.4}
.on-bar .rejected,.on-bar .failed{stroke:var(--ink)}
.on-bar .held{fill:var(--paper);stroke:var(--ink)}
.void{fill:var(--void)}.cell{shape-rendering:crispEdges}
.fired{fill:none;stroke:var(--ink);stroke-width:1.4;pointer-events:none}
"""

NARROW = """
@media (max-width:819px){
body{padding:18px 16px 48px}.wide,.hover{display:none}.slim{display:block;max-width:560px}
.facts{grid-template-columns:1fr 1fr}
}
@media (max-width:640px){
table{font-size:13px}th,td{padding-right:8px}
.stacked,.stacked tbody,.stacked tr,.stacked td,.five,.five tbody,.five tr,.five td{display:block}
.stacked thead,.five thead{display:none}
.stacked tr,.five tr{border-bottom:1px solid var(--line);padding:8px 0}
.stacked td,.five td{border:0;padding:2px 0}
.stacked td:nth-child(-n+2),.five td:nth-child(-n+2){white-space:normal}
.stacked td::before{content:attr(data-label) ": ";color:var(--soft)}
.stacked td p:first-child{display:inline}
.periods table{font-size:12px}.periods th,.periods td{padding-right:3px}
.periods td:nth-child(5),.periods th:nth-child(5){display:none}
}
"""

PAPER = """
@page{margin:14mm}
@media print{
body{padding:0;font-size:12px;max-width:none}
.wide{display:block}.slim,.hover{display:none}.scroll{overflow:visible}
.facts{grid-template-columns:repeat(4,1fr)}
figure,tr,.facts{break-inside:avoid}h2,figcaption{break-after:avoid}
.stacked details::details-content{content-visibility:visible;height:auto}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
"""


def sheet() -> str:
    """Return the whole style sheet; dark colours are for screens, paper stays light."""
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{DARK}}}}}"
    fills = "".join(
        f".{name}{{fill:var(--{name});background:var(--{name})}}"
        for name in (*(f"heat-{i}" for i in range(8)), *_KINDS)
    )
    fault = ".cell.fault,.key i.fault{fill:var(--purple);background:var(--purple)}"
    root = f":root{{color-scheme:light dark;{LIGHT}}}"
    return f"{root}{dark}{LAYOUT}{PLOTS}{fills}{fault}{NARROW}{PAPER}"


_KINDS = ("initial", "drift", "staleness", "growth", "manual")
