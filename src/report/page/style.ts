/** The style sheet of the page. Colours come from the themes; everything else stands here. */
import { variablesOf } from "../themes.ts";

const sheet = `
:root{${variablesOf("light")};--sans:"DK Sans",system-ui,sans-serif;--serif:"DK Serif",Georgia,serif}
@media (prefers-color-scheme:dark){:root{${variablesOf("dark")}}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:24px;-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;padding:0 32px;background:var(--bg);color:var(--ink);font:400 18px/1.55 var(--serif);
  display:grid;grid-template-columns:176px minmax(0,860px);gap:56px;justify-content:center;
  overflow-wrap:break-word}
a{color:inherit;text-decoration-color:var(--grey);text-underline-offset:3px}
a:hover{text-decoration-color:currentColor}
:focus-visible{outline:2px solid var(--blue);outline-offset:3px;border-radius:2px}
.ref{white-space:nowrap}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}

nav,h3,h4,.sub,.legend,figcaption,.data,table,.kicker,.tile span,.badge,.chip,svg,.aside,footer,dt,.tally,
.protocols,.measured{font-family:var(--sans)}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow-y:auto;padding:60px 0 24px;
  font-size:13px;line-height:1.35}
nav b{font-size:15px;letter-spacing:-.01em}
nav ol{list-style:none;margin:16px 0 0;padding:0}
nav li{margin:0 0 9px}
nav a{color:var(--mute);text-decoration:none}
nav a:hover{color:var(--ink)}
main{min-width:0;padding:56px 0 64px}

.contents{display:none;margin:0 0 30px;font:400 15px/1.4 var(--sans)}
.contents summary{width:max-content;cursor:pointer;color:var(--mute)}
.contents ol{list-style:none;margin:10px 0 0;padding:0}
.contents li{margin:0;padding:7px 0;border-top:1px solid var(--rule)}
.contents a{display:block;text-decoration:none}
.kicker{margin:0 0 18px;font-size:13px;color:var(--mute)}
.kicker span+span::before{content:"/";margin:0 .6em 0 .3em;color:var(--grey)}
h1{margin:0 0 22px;max-width:19em;font-size:46px;line-height:1.1;font-weight:600;
  letter-spacing:-.022em;text-wrap:balance}
.stand{margin:0 0 36px;max-width:34em;font-size:21px;line-height:1.5;text-wrap:pretty}
h2{margin:84px 0 22px;padding-top:22px;border-top:1px solid var(--rule);font-size:30px;
  line-height:1.2;font-weight:600;letter-spacing:-.015em}
.lead{margin:0 0 22px;max-width:36em;text-wrap:pretty}
.aside{margin:20px 0 0;max-width:50em;font-size:14px;line-height:1.5;color:var(--mute)}

.tiles{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));margin:0 0 34px;
  border-block:1px solid var(--rule)}
.tile{padding:20px 18px 20px 0}
.tile+.tile{padding-left:18px;border-left:1px solid var(--rule)}
.tile b{display:block;margin-bottom:9px;font:600 38px/1 var(--serif);letter-spacing:-.02em;
  font-variant-numeric:lining-nums}
.tile span{display:block;font-size:13px;line-height:1.4;color:var(--mute)}
.findings{margin:0 0 26px;padding-left:1.3em;max-width:38em}
.findings li{margin:0 0 11px;padding-left:.3em}
.findings li::marker{color:var(--mute)}
b{font-weight:650}
.tally{display:flex;flex-wrap:wrap;align-items:center;gap:8px 18px;font-size:14px;color:var(--mute)}
.tally a{display:inline-flex;align-items:center;gap:7px;line-height:1;font-weight:600;
  color:var(--ink);text-decoration:none}

figure{margin:0 0 30px}
figure+figure{margin-top:64px}
.head{margin-bottom:14px}
h3{margin:0 0 3px;font-size:20px;line-height:1.3;font-weight:650;letter-spacing:-.012em;text-wrap:pretty}
.sub{margin:0;font-size:14px;color:var(--mute)}
h4{margin:0 0 6px;font-size:13.5px;font-weight:600}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:10px 0 0;font-size:13px}
.key{display:inline-flex;align-items:center;gap:7px}
.key i{flex:none;width:18px;height:3px;border-radius:2px;background:var(--c)}
.key .box{width:12px;height:12px}
.key .area{height:12px;opacity:.3}
.key .dot{width:8px;height:8px;border-radius:50%}
.key .hollow{width:9px;height:9px;border-radius:50%;background:none;border:1.5px solid var(--c)}
.key .ring{width:11px;height:11px;border-radius:50%;background:none;border:2.2px solid var(--c)}
.key .tick{width:2px;height:14px}
.key .interval{height:5px;border-radius:3px;opacity:.35}
.key .ramp{width:120px;height:10px;
  background:linear-gradient(90deg,color-mix(in srgb,var(--c) 4%,transparent),var(--c))}

svg.pl{display:block;max-width:100%;height:auto;overflow:visible;font-size:12px}
.pl text{white-space:pre}
.narrow{display:none}
.grid{display:grid;gap:24px 20px}
.grid>*{min-width:0}
.grid3{grid-template-columns:repeat(auto-fit,minmax(min(100%,250px),1fr))}
.grid2{grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr))}
.grid3{align-items:end}
.grid3>*{max-width:400px}
.grid2>*{max-width:480px}
.grid svg.pl{width:100%}
.h>circle,.h>rect{fill:transparent;stroke:none}
.h>path{stroke:none}
.h:hover>circle{stroke:var(--ink);stroke-width:1.6}
.h:hover>path{stroke:var(--ink);stroke-opacity:.3}
.h:hover>rect{fill:var(--ink);fill-opacity:.04}
.t{display:none;pointer-events:none}
.h:hover .t{display:block}
.t rect{fill:var(--ink);rx:4px}
.t text{fill:var(--bg);font-size:11.5px;transform:translateX(9px)}
text.t{text-anchor:middle;font-size:11.5px;font-weight:600;fill:var(--ink);paint-order:stroke;
  stroke:var(--bg);stroke-width:7px;stroke-linejoin:round}

figcaption{margin-top:14px;max-width:52em;font-size:14px;line-height:1.5}
.proto{display:block;margin-top:8px;font-size:12.5px;color:var(--mute)}
.chip{display:inline-block;padding:3px 6px;border:1px solid var(--grey);border-radius:4px;
  font-size:11.5px;line-height:1;font-weight:650;text-decoration:none;color:var(--ink)}
.chip:hover{background:var(--rule)}
.data{position:relative;margin-top:10px;font-size:13px;color:var(--mute)}
.data summary{width:max-content;padding:3px 0;cursor:pointer}
.data summary:hover{color:var(--ink)}
.data small{margin-left:6px}
.csv{position:absolute;left:190px;top:3px}
.scroll{position:relative;max-height:420px;margin-top:6px;overflow:auto;border-block:1px solid var(--rule)}
table{width:100%;border-collapse:collapse;font-size:12.5px;line-height:1.35;color:var(--ink)}
td{font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;white-space:nowrap}
.s{text-align:left}
td.s{max-width:44em;font-variant-numeric:normal;white-space:normal}
th:first-child{padding-left:0;text-align:left}
thead th{position:sticky;top:0;background:var(--bg);font-weight:600;color:var(--mute);vertical-align:bottom}
tbody th{font-weight:500}
tbody tr{border-top:1px solid var(--rule)}
.wide-table{max-height:none}
.figures{font-size:13px}
.figures th.s,.figures td.s{padding-left:24px}
.figures td.s{font-variant-numeric:tabular-nums;white-space:nowrap}
.figures small{font-weight:400}
.bar{display:inline-block;width:calc(var(--v)*130px + 1px);height:11px;margin-right:8px;
  border-radius:2px;background:var(--c);vertical-align:-1px}
.bar.below{background:none;border:1.5px solid var(--orange)}

.texts{display:grid;gap:34px}
.text h4{margin:0 0 10px;font:600 19px/1.3 var(--serif)}
dl{margin:0}
.text dl{border-top:1px solid var(--rule)}
.text dl div{display:grid;grid-template-columns:190px minmax(0,1fr);gap:20px;padding:10px 0;
  border-bottom:1px solid var(--rule)}
.text dt{font-size:13.5px;line-height:1.5}
.text dt small{display:block;font-weight:400;font-size:12.5px;color:var(--mute)}
.text dd{font-size:17px;line-height:1.5}
.text em{font-style:normal;color:var(--mute)}
.nl{font-style:normal;font-size:.8em;color:var(--grey)}
dt{font-weight:600}
dd{margin:0}

.claims{list-style:none;margin:0;padding:0}
.claims li{display:grid;grid-template-columns:150px minmax(0,1fr);gap:20px;padding:16px 0;
  border-top:1px solid var(--rule)}
.claims h4{margin:0 0 3px;font:600 18px/1.35 var(--serif)}
.claims p{margin:0;max-width:40em;font-size:16px;color:var(--mute)}
.claims .measured{margin:4px 0;font-size:14px;color:var(--ink);font-variant-numeric:tabular-nums}
.measured span{margin-left:.5em;color:var(--mute)}
.badge{display:inline-flex;align-items:center;align-self:start;gap:7px;font-size:13.5px;
  line-height:1.3;font-weight:600;white-space:nowrap}
.claims .badge{padding-top:3px}
.badge svg{width:18px;height:18px;fill:none;stroke:currentColor;stroke-width:1.7;
  stroke-linecap:round;stroke-linejoin:round}
.held{color:var(--green)}
.did-not-hold{color:var(--orange)}
.cannot-be-told{color:var(--mute)}
.held circle,.did-not-hold circle{fill:currentColor}
.held path,.did-not-hold path{stroke:var(--bg)}
.cannot-be-told circle{stroke-dasharray:2.6 2.2}

.protocols>div{display:grid;grid-template-columns:230px minmax(0,1fr);gap:20px;padding:12px 0;
  border-top:1px solid var(--rule);font-size:14px;line-height:1.5}
.protocols>div:target{background:var(--rule)}
.protocols dd{color:var(--mute)}
.env{margin-top:30px;font-size:14px}
.env th{width:130px;color:var(--mute);vertical-align:top}
.env td{overflow-wrap:anywhere}
footer{margin-top:72px;padding-top:18px;border-top:1px solid var(--rule);font-size:13px;color:var(--mute)}

@media (max-width:1060px){
body{grid-template-columns:minmax(0,860px);gap:0}
nav{display:none}
.contents{display:block}
}
@media (max-width:780px){
.wide{display:none}
.narrow{display:block;max-width:560px}
.narrow svg.pl{width:100%}
}
@media (max-width:700px){
body{padding:0 18px;font-size:17px}
main{padding-top:32px}
h1{font-size:33px}
.stand{font-size:18.5px}
h2{margin-top:60px;font-size:26px}
.tiles{grid-template-columns:1fr 1fr}
.tile:nth-child(odd){padding-left:0;border-left:0}
.tile:nth-child(n+3){border-top:1px solid var(--rule)}
.tile b{font-size:32px}
.text dl div,.claims li,.protocols>div{grid-template-columns:minmax(0,1fr);gap:4px}
.legend{gap:4px 14px}
.bar{width:calc(var(--v)*70px + 1px)}
.figures th,.figures td{padding-inline:6px}
.figures th.s,.figures td.s{padding-left:10px}
.figures tbody th{min-width:9em;white-space:normal}
}
@media print{
@page{size:A4;margin:16mm 15mm}
:root{${variablesOf("light")};--bg:#fff}
body{display:block;padding:0;font-size:11pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
nav,.contents,.data,.narrow,.h{display:none}
.wide{display:block}
main{padding:0}
h1{font-size:28pt}
.stand{font-size:13pt}
h2{margin-top:26pt;break-after:avoid}
h2+*,.claims li:first-child{break-before:avoid}
.lead,.protocols>div:first-child{break-after:avoid}
figure,.head,.tiles,.text,li,.protocols>div,tr{break-inside:avoid}
.grid3{grid-template-columns:repeat(3,minmax(0,1fr))}
.grid2{grid-template-columns:repeat(2,minmax(0,1fr))}
.scroll{max-height:none;overflow:visible}
}`;

/** On one line each is enough for a browser. */
export const pageStyle = sheet.replace(/\n\s*/g, "");
