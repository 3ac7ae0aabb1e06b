/// The page's style. Colours are told apart by people with any kind of colour vision, and shapes repeat what they say.
let styleSheet = """
    :root { color-scheme: light dark;
      --page: #fbfaf8; --card: #ffffff; --ink: #1d1f24; --soft: #5d626d; --line: #dfddd8; --grid: #eae8e3;
      --point: #7f8794; --blue: #0069a8; --orange: #c9510c; --green: #00805c; --wash: #eef4f8; }
    @media screen and (prefers-color-scheme: dark) { :root {
      --page: #15171b; --card: #1c1f24; --ink: #e8e8e6; --soft: #a3a8b2; --line: #353a42; --grid: #2a2e35;
      --point: #8d95a3; --blue: #5db4ea; --orange: #f28b4b; --green: #3cc39a; --wash: #202a33; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--page); color: var(--ink);
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
    main { max-width: 1040px; margin: 0 auto; padding: 40px 28px 56px; font-variant-numeric: tabular-nums; }
    h1, h2, p, ul, dl, dd, figure { margin: 0; padding: 0; }
    h1, p, tbody th, dd, li { overflow-wrap: anywhere; }
    h1 { font-size: 29px; line-height: 1.22; font-weight: 650; letter-spacing: -.01em; max-width: 30em; text-wrap: balance; }
    h2 { font-size: 17px; font-weight: 650; margin-bottom: 14px; }
    small, .aside { color: var(--soft); font-size: 13px; }
    code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; }
    .eyebrow { color: var(--soft); font-size: 13px; margin-bottom: 10px; }
    .lede { margin-top: 10px; max-width: 44em; color: var(--soft); }
    header { border-left: 5px solid var(--blue); padding-left: 20px; }
    header.merged { border-color: var(--orange); }
    header.held { border-color: var(--ink); }
    .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(205px, 1fr)); gap: 12px; margin-top: 24px; }
    .tiles > div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
    .tiles h2 { font-size: 13px; font-weight: 500; color: var(--soft); margin: 0 0 2px; }
    .tiles p { font-size: 13px; color: var(--soft); line-height: 1.4; }
    .tiles .figure { font-size: 21px; font-weight: 600; color: var(--ink); letter-spacing: -.01em; }
    section { margin-top: 44px; padding-top: 22px; border-top: 1px solid var(--line); }
    .split { display: grid; grid-template-columns: minmax(0, 1fr) 232px; gap: 30px; align-items: start; }
    .halves { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 22px 40px; align-items: start; }
    .notes p { color: var(--soft); font-size: 13px; margin-top: 12px; }
    .legend { list-style: none; font-size: 14px; margin-top: 30px; }
    .legend li { display: flex; align-items: center; gap: 10px; padding: 3px 0; }
    .legend svg { width: 24px; height: 20px; flex: none; }
    figcaption, .caption { font-size: 14px; color: var(--soft); margin-bottom: 10px; }
    .key::before { content: ""; box-sizing: border-box; display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin: 0 5px 0 2px; }
    .before-key::before { border: 2px solid var(--ink); }
    .after-key::before { background: var(--orange); }
    .best-key::before { width: 18px; height: 0; border-radius: 0; border-top: 2.5px solid var(--blue);
      vertical-align: middle; }
    figure svg { display: block; width: 100%; height: auto; overflow: visible; }
    svg text { font: 12px system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--soft); }
    svg.wide text { font-size: 12px; }
    svg .name { fill: var(--soft); }
    svg .row { fill: var(--ink); font-weight: 600; }
    svg .label { fill: var(--ink); font-weight: 650; paint-order: stroke; stroke: var(--page); stroke-width: 4px;
      stroke-linejoin: round; }
    svg .sharer-name { fill: var(--green); font-weight: 600; }
    .grid { stroke: var(--grid); fill: none; }
    .axis { stroke: var(--soft); fill: none; stroke-width: 1; }
    .candidate { fill: var(--point); fill-opacity: .62; }
    .front { fill: var(--page); stroke: var(--blue); stroke-width: 2; }
    .many { fill: none; stroke-linecap: round; stroke-opacity: .45; }
    .candidate.many { stroke: var(--point); stroke-width: 4; }
    .front.many { stroke: var(--blue); stroke-width: 5; stroke-opacity: 1; }
    .front-line, .best-line { fill: none; stroke: var(--blue); stroke-width: 2; stroke-linejoin: round; }
    .best-line { stroke-width: 2.5; }
    .base-line { fill: none; stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 2 4; }
    .base { fill: var(--page); stroke: var(--ink); stroke-width: 2.4; }
    .chosen { fill: var(--orange); stroke: var(--page); stroke-width: 1.5; }
    .sharer { fill: var(--green); }
    .sharer-line { fill: none; stroke: var(--green); stroke-width: 1; }
    .before { fill: var(--page); stroke: var(--ink); stroke-width: 2; }
    .after { fill: var(--orange); }
    .shift { fill: none; stroke-width: 3; stroke: var(--orange); stroke-opacity: .45; }
    .positive { fill: var(--blue); }
    .negative { fill: var(--orange); }
    .strip { fill: none; stroke: var(--line); }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; font-size: 14px; }
    th, td { text-align: right; padding: 6px 0 6px 16px; border-bottom: 1px solid var(--line); vertical-align: baseline; }
    th:first-child { text-align: left; padding-left: 6px; }
    td:last-child, th:last-child { padding-right: 6px; }
    td { white-space: nowrap; }
    thead th { color: var(--soft); font-weight: 500; font-size: 13px; }
    tbody th { font-weight: 600; }
    .marked > * { background: var(--wash); }
    .scroll + .aside { margin-top: 10px; }
    figure + .aside, .halves + .scroll, .halves + .aside { margin-top: 22px; }
    dl div { display: grid; grid-template-columns: 88px minmax(0, 1fr); gap: 12px; padding: 4px 0; font-size: 14px; }
    dt { color: var(--soft); }
    .reading { columns: 2; column-gap: 40px; font-size: 14px; color: var(--soft); }
    .reading h2 { column-span: all; color: var(--ink); }
    .reading p { break-inside: avoid; margin-bottom: 10px; }
    .reading b { color: var(--ink); font-weight: 600; }
    @media screen and (max-width: 700px) {
      main { padding: 22px 16px 36px; }
      h1 { font-size: 22px; }
      header { padding-left: 14px; border-left-width: 4px; }
      .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
      .tiles > div { padding: 10px; }
      .tiles .figure { font-size: 17px; }
      section { margin-top: 30px; padding-top: 18px; }
      .split, .halves { grid-template-columns: minmax(0, 1fr); }
      .legend { margin-top: 0; }
      .reading { columns: 1; }
      svg text { font-size: 15px; }
      svg.wide text { font-size: 19px; }
      table { font-size: 12.5px; }
      th, td, thead th { padding-left: 8px; font-size: 12.5px; }
      tbody th:first-child { min-width: 6.2em; }
      td small { display: block; }
      .last-follows td:last-child, .last-follows th:last-child { display: none; }
    }
    @media print {
      @page { margin: 16mm 15mm; }
      body { background: none; font-size: 10.5pt; }
      main { max-width: none; padding: 0; }
      * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      section { margin-top: 20px; padding-top: 14px; }
      h1 { font-size: 21px; }
      .tiles { grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 8px; margin-top: 16px; }
      .tiles > div { padding: 8px 10px; }
      .tiles .figure { font-size: 15px; }
      .tiles p, .tiles h2 { font-size: 11px; }
      .split { grid-template-columns: minmax(0, 1fr) 172px; gap: 20px; }
      table, .legend { font-size: 12px; }
      .legend { margin-top: 16px; }
      thead th { font-size: 11px; }
      dl div, .reading { font-size: 12px; }
      dl div { padding: 2px 0; }
      th, td { padding: 4px 0 4px 10px; }
      svg.wide text { font-size: 15px; }
      svg.half text { font-size: 14px; }
      figure, tr, .tiles > div, .split, .reading { break-inside: avoid; }
      h2, figcaption, .caption { break-after: avoid; }
      .scroll { overflow: visible; }
    }
    """
