import Privacy

/// report.html: the record as one page for people, without scripts and without anything from outside it.
///
/// Everything on it comes from the record; ids are escaped, and values that are not finite are shown as a dash.
/// Equal records give equal bytes.
public func reportHTML(_ record: PrivacyRecord) -> [UInt8] {
    var page = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>Privacy report: \(escape(record.user)), \(escape(record.task))</title>
        <style>
        \(styleSheet)
        </style>
        </head>
        <body>
        <main>

        """
    page += header(record)
    page += planeSection(record)
    page += sharerSection(record)
    page += searchSection(record)
    page += scoreSection(record)
    page += readingSection
    page += "</main>\n</body>\n</html>\n"
    return Array(page.utf8)
}

private func header(_ record: PrivacyRecord) -> String {
    let state = if case .held = record.release { "held" } else { record.outcome.rawValue }
    let tiles = tiles(record).map {
        "<div><h2>\($0.title)</h2><p class=\"figure\">\($0.figure)</p><p>\($0.note)</p></div>\n"
    }
    let place = "user \(name(record.user)) · \(name(record.task)) · job \(name(record.job))"
    return """
        <header class="\(state)">
        <p class="eyebrow">Privacy report · \(place)</p>
        <h1>\(headline(record))</h1>
        <p class="lede">\(consequence(record))</p>
        <div class="tiles">
        \(tiles.joined())</div>
        </header>

        """
}

private struct Tile {
    var title: String
    var figure: String
    var note: String

    /// Before and after; one value where the base ships and nothing changed.
    init(_ title: String, _ before: Double, _ after: Double, note: String, in record: PrivacyRecord) {
        let isChange = record.outcome == .merged
        self.title = title
        figure = isChange ? change(before, after) : number(before)
        self.note = isChange ? "\(signed(after - before)), \(note)" : note
    }
}

private func tiles(_ record: PrivacyRecord) -> [Tile] {
    let (utility, similarity) = (record.utility, record.similarity)
    var tiles = [
        Tile(
            "History score", utility.base, utility.merged,
            note: "over \(counted(record.search.historyItems, "history item"))",
            in: record),
        Tile(
            "Likeness to the sharers", similarity.before, similarity.after,
            note: "mean of \(record.sharers.count); less is more private", in: record),
    ]
    let known = record.sharers.filter(\.similarityAfter.isFinite)
    if let nearest = known.max(by: { $0.similarityAfter < $1.similarityAfter }) {
        tiles.append(
            Tile(
                "Most alike: sharer \(name(shortened(nearest.id, to: 20)))", nearest.similarityBefore,
                nearest.similarityAfter,
                note: "the highest likeness to any one sharer; a copy would have \(number(nearest.similarityOfCopy))",
                in: record))
    }
    if let heldOut = record.heldOut {
        let gap = record.outcome == .merged ? "; gap \(number(heldOut.gap))" : ""
        tiles.append(
            Tile(
                "Held-out score", heldOut.base, heldOut.merged,
                note: "over \(counted(heldOut.items, "item")) kept from the search\(gap)", in: record))
    }
    return tiles
}

private func planeSection(_ record: PrivacyRecord) -> String {
    let left = record.sharers.count - PlanePlot.mostSharers
    let more = left > 0 ? " The margin has the first \(PlanePlot.mostSharers); \(left) more are in the table." : ""
    return """
        <section>
        <h2>Utility against likeness</h2>
        <div class="split">
        <figure>
        \(PlanePlot(record).svg)</figure>
        <div class="notes">
        \(planeLegend(record))<p>Up is a better answer to the history, left is less like the sharers. Along the front, neither gets
        better without the other getting worse.</p>
        <p>A sharer's own adapter has a score but no point: it is not part of the search.\(more)</p>
        </div>
        </div>
        </section>

        """
}

private func planeLegend(_ record: PrivacyRecord) -> String {
    func item(_ shape: String, _ words: String) -> String {
        "<li><svg viewBox=\"0 0 24 20\" aria-hidden=\"true\">\(shape)</svg>\(words)</li>\n"
    }
    let chosen = "the merge that \(chosenName(record) == "held" ? "is held" : "ships")"
    var legend = "<ul class=\"legend\">\n"
    if record.outcome == .merged { legend += item("<path class=\"chosen\" d=\"M12,1l9,9l-9,9l-9,-9z\"/>", chosen) }
    legend += item(
        "<rect class=\"base\" x=\"6\" y=\"4\" width=\"12\" height=\"12\"/>",
        record.outcome == .base ? "the base, which is the choice" : "the base")
    legend += item(
        "<path class=\"front-line\" d=\"M0,10H24\"/><circle class=\"front\" cx=\"12\" cy=\"10\" r=\"4.4\"/>",
        "the Pareto front")
    legend += item("<circle class=\"candidate\" cx=\"12\" cy=\"10\" r=\"3.6\"/>", "another candidate")
    legend += item("<path class=\"sharer\" d=\"M6,10l11,-5.5v11z\"/>", "score of a sharer alone")
    return legend + "</ul>\n"
}

private func sharerSection(_ record: PrivacyRecord) -> String {
    guard !record.sharers.isEmpty else {
        return "<section>\n<h2>Sharers</h2>\n<p>No sharer took part.</p>\n</section>\n"
    }
    let left = record.sharers.count - mostPlottedSharers
    let more = left > 0 ? "<p class=\"aside\">The figures show the first \(mostPlottedSharers) sharers.</p>\n" : ""
    var key = "<span class=\"key before-key\">base</span>"
    if record.outcome == .merged { key += " and <span class=\"key after-key\">\(chosenName(record))</span>" }
    return """
        <section>
        <h2>Sharers</h2>
        <div class="halves">
        <figure>
        <figcaption>Likeness to each: \(key)</figcaption>
        \(likenessPlot(record))</figure>
        <figure>
        <figcaption>Weights of their adapters</figcaption>
        \(weightsPlot(record))</figure>
        </div>
        \(more)\(sharerTable(record))</section>

        """
}

private func searchSection(_ record: PrivacyRecord) -> String {
    guard !record.candidates.isEmpty else {
        return "<section>\n<h2>Search</h2>\n<p>No candidate was evaluated.</p>\n</section>\n"
    }
    return """
        <section>
        <h2>Search</h2>
        <div class="halves">
        <figure>
        <figcaption>Fitness by evaluation, <span class="key best-key">best so far</span></figcaption>
        \(FitnessPlot(record).svg)</figure>
        <div>
        <p class="caption">What another alpha would have chosen</p>
        \(alternativesTable(record))<p class="aside">From the same candidates, by the whole history. The run's own alpha is
        \(setting(record.search.alpha)).</p>
        </div>
        </div>
        </section>

        """
}

private func scoreSection(_ record: PrivacyRecord) -> String {
    let heldOut =
        record.heldOut.map { heldOutNote($0, in: record) } ?? """
            <p class="aside">No part of the history was kept from the search: these are scores on items that it saw.</p>

            """
    return """
        <section class="halves">
        <div>
        <h2>Scores</h2>
        \(scoreTable(record))\(heldOut)</div>
        <div>
        <h2>What this is, and how it was made</h2>
        \(settingsList(record))</div>
        </section>

        """
}

/// The base is fitted to nothing; where it ships there is no overfitting to tell.
private func heldOutNote(_ heldOut: PrivacyRecord.HeldOutRecord, in record: PrivacyRecord) -> String {
    let kept = "Kept from the search: \(counted(heldOut.items, "history item"))."
    let more =
        if record.outcome == .merged {
            heldOut.gap <= 0
                ? "The gain over the base is \(number(-heldOut.gap)) less where the search looked: no sign of overfitting."
                : "The gain over the base is \(number(heldOut.gap)) more where the search looked: what was overfitted."
        } else {
            "What the search recommended scores \(number(heldOut.recommended.utility)) there."
        }
    return "<p class=\"aside\">\(kept) \(more)</p>\n"
}

private let readingSection = """
    <section class="reading">
    <h2>How to read this</h2>
    <p><b>History score</b> compares the model's answers for the person's own history with what the person really wrote. It
    is the sum of the task's metrics, larger is better; metrics of error are negated.</p>
    <p><b>Likeness</b> compares the model's answers with a sharer's model's answers to the same questions, by the same metrics.
    A high likeness means that the model gives away how the sharer's model answers. The most is what a copy of the sharer's
    adapter would have: an f1 counts labels that no answer has as 0, and where the metrics are errors it is 0.</p>
    <p><b>Fitness</b> is what the search raised: history score − alpha × mean likeness, on the part of the history that it saw.
    A larger alpha asks for more privacy.</p>
    <p><b>Held-out score</b> is the history score on the part that the search did not see: the fairer guess of what the person
    will notice. The <b>gap</b> is how much more the choice gains over the base where the search looked than there.</p>
    <p><b>Cosine</b> says how near the sharer was to the person when sharers were selected. <b>Own score</b> is the history
    score of the sharer's adapter alone.</p>
    <p>No text of any history, prompt or answer is on this page.</p>
    </section>

    """
